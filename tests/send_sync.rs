//! Every public type of the library can be given to another thread and be looked at by several: held by the
//! compiler. The second test sees that no type is left out.
#![cfg(all(feature = "sim", feature = "bundle", feature = "health"))]

use std::fs;
use std::path::Path;

use bootslot::storage::{self, sim};
use bootslot::update::{self, bundle, source, target};
use bootslot::{
    bootcount, config, device, env, error, files, find, floor, health, journal, lock, migrate, process,
    report, settings, slot, store, trial,
};

const fn both<T: Send + Sync + ?Sized>() {}

/// What a bundle is read from need not be for two readers at once.
const fn sent<T: Send + ?Sized>() {}

/// What a build without them does not have.
#[cfg(feature = "app")]
const _: () = {
    use bootslot::app;
    both::<app::Facts>();
    both::<app::Boot>();
    both::<app::Next>();
    both::<app::Outcome>();
    both::<app::Seen>();
    both::<app::AppError>();
    both::<app::Event>();
    both::<app::Arrival>();
    both::<app::Moment>();
    both::<app::Commands>();
    sent::<dyn app::Service>();
    both::<app::Failed>();
    both::<app::Stage>();
    both::<app::State>();
    both::<app::Version>();
    both::<app::With>();
    both::<app::Status>();
    both::<app::Handle<'_>>();
    both::<app::Unpacked>();
    both::<app::Unfit>();
    both::<app::Pax>();
    both::<settings::App>();
    both::<files::build::Attributes>();
    both::<files::build::Node>();
    sent::<dyn files::build::Build>();
    both::<report::AppReport>();
    both::<update::AppOptions>();
    both::<update::InstalledApp>();
};

/// What a build without them does not have.
#[cfg(feature = "bootloader")]
const _: () = {
    use bootslot::loader;
    both::<loader::Arrival>();
    both::<loader::Checked>();
    both::<loader::Choices>();
    both::<loader::Confirmation>();
    both::<loader::Event>();
    both::<dyn loader::Hardware>();
    both::<loader::Loader<'_>>();
    both::<loader::LoaderError>();
    both::<loader::RealHardware<'_>>();
    both::<loader::Release>();
    both::<loader::Stage>();
    both::<loader::Standing>();
    both::<loader::State>();
    both::<loader::Status>();
    both::<settings::BootLoader>();
    both::<settings::LoaderCopy>();
    both::<settings::LoaderScheme>();
    both::<report::LoaderReport>();
    both::<update::InstalledLoader>();
    both::<update::LoaderOptions>();
};

const _: () = {
    both::<bundle::kind::BootLoader>();
    both::<bundle::application::Application>();
    both::<bundle::application::Need>();
    both::<bundle::create::AppFile>();
    sent::<dyn source::Source>();
    sent::<source::StreamSource<std::io::Stdin>>();
    sent::<update::Bundle>();
    both::<source::FileSource>();
    both::<dyn target::Parts>();
    sent::<target::Part>();
    both::<update::UpdateError>();
    both::<update::Options>();
    both::<update::Phase>();
    both::<update::Progress<'_>>();
    both::<update::Installed>();
    both::<update::Done>();
    both::<bundle::container::SignatureKind>();
    both::<bundle::container::Signature>();
    both::<bundle::container::Head>();
    both::<bundle::container::Position>();
    both::<bundle::create::Compression>();
    both::<update::Common>();
    both::<bundle::manifest::Manifest>();
    both::<bundle::manifest::Payload>();
    both::<bundle::manifest::Against>();
    both::<bundle::signature::Keyring>();
    both::<update::Untrusted>();
    both::<bundle::signature::Signer>();
    both::<bundle::table::Kind>();
    both::<bundle::table::Entry>();
    both::<bundle::table::Old>();
    both::<bundle::table::Expected>();
    both::<bundle::table::Table>();
    both::<bundle::table::Entries<'_>>();
    both::<bundle::table::Builder>();
    sent::<health::Caller<'_>>();
    both::<health::System>();
    both::<health::Roots>();
    both::<health::Evidence>();
    both::<health::Report>();
    both::<health::Observation>();
    both::<health::Standing>();
    both::<health::Verdict>();
    both::<health::Event<'_>>();
    both::<health::checks::Finding>();
    both::<health::baseline::Baseline>();
    both::<health::decision::Decision>();
    both::<health::decision::Limits>();
    both::<health::decision::Judged>();
    both::<health::watchdog::Feeder>();
    both::<process::Stop>();
    both::<settings::health::Health>();
    both::<settings::health::Watchdog>();
    both::<settings::health::Check>();
    both::<settings::health::Kind>();
    both::<settings::health::Writable>();
    both::<settings::health::Policy>();
    both::<settings::health::OnFailure>();
    both::<files::RealFiles>();
    both::<files::Kind>();
    sent::<dyn files::Files>();
    both::<files::sim::SimFiles>();
    both::<files::sim::Trouble>();
    both::<migrate::Facts>();
    both::<migrate::Wanted>();
    both::<migrate::Seen>();
    both::<migrate::Refusal>();
    both::<migrate::Next>();
    both::<migrate::MigrateError>();
    both::<migrate::Event>();
    both::<migrate::Method>();
    both::<migrate::Room>();
    both::<migrate::StepId>();
    both::<migrate::Folder>();
    both::<migrate::Attempt>();
    both::<migrate::Why>();
    both::<migrate::Restored>();
    both::<migrate::State>();
    both::<migrate::Action>();
    both::<migrate::Step>();
    both::<migrate::System>();
    both::<migrate::Status>();
    both::<settings::Migrate>();
    both::<trial::Trial>();
    both::<trial::NoTrial>();
    both::<trial::Waits>();
    both::<trial::Orders>();
    both::<trial::Decided>();
    both::<files::tree::Entry>();
    both::<files::tree::Size>();
    sent::<dyn files::tree::Trees>();
    both::<process::Limits>();
    both::<process::End>();
    both::<process::Ran>();
    both::<files::Locked>();
    both::<journal::Record>();
    both::<journal::Lines>();
    both::<journal::Finding>();
    both::<journal::Verdict>();
    both::<journal::Event>();
    both::<journal::Contents>();
    both::<journal::Journal>();
    both::<journal::Attempt>();
    both::<journal::Fault>();
    both::<journal::Rejected>();
    both::<journal::Story>();
    both::<journal::Action>();
    both::<journal::Now>();
    both::<report::Answer>();
    both::<report::AnswerState>();
    both::<report::Report>();
    both::<report::Message>();
    both::<report::About>();
    both::<settings::Report>();
    both::<settings::Refuse>();
    both::<device::Refused>();
    both::<device::System>();
    both::<device::Observed>();
    both::<floor::Change>();
    both::<floor::Pending>();
    both::<floor::Floors>();
    both::<floor::Plan>();
    both::<floor::FileStep>();
    both::<device::FloorStatus>();
    both::<settings::Update>();
    both::<settings::Certificates>();
    both::<settings::Purpose>();
    both::<settings::CertificateTime>();
    both::<config::Config>();
    both::<config::EnvConfig>();
    both::<config::Device>();
    both::<lock::LockPath>();
    both::<lock::Lock>();
    both::<env::redundancy::FlagScheme>();
    both::<env::redundancy::CopyState>();
    both::<env::redundancy::Choice>();
    both::<env::redundancy::Why>();
    both::<env::text::Change<'_>>();
    both::<env::image::Layout>();
    both::<env::image::Image<'_>>();
    both::<env::image::Records<'_>>();
    both::<env::Environment>();
    both::<env::Anomaly>();
    both::<env::flags::VarType>();
    both::<env::flags::VarAccess>();
    both::<env::flags::Rules>();
    both::<bootcount::Variables<'_>>();
    both::<bootcount::Layout>();
    both::<bootcount::Order>();
    both::<bootcount::Count>();
    both::<dyn bootcount::Counter>();
    both::<bootcount::Source>();
    both::<bootcount::Roots>();
    both::<settings::Settings>();
    both::<storage::region::RegionCopy>();
    both::<storage::region::RegionSpec>();
    both::<storage::replace::ReplaceCopy>();
    both::<storage::file::FileOpener>();
    both::<storage::ubi_image::VolumeOpener>();
    both::<storage::rename::RenamedFile>();
    both::<storage::mtd::MtdOpener>();
    both::<storage::volume::VolumeCopy>();
    both::<storage::ubi::VolumeName<'_>>();
    both::<storage::ubi::Ubi>();
    both::<storage::ubi::UbiVolume>();
    both::<storage::MediumKind>();
    both::<storage::Geometry>();
    both::<storage::Access>();
    both::<storage::Method>();
    both::<storage::WriteStats>();
    both::<dyn storage::Medium>();
    both::<dyn storage::OpenMedium>();
    both::<dyn storage::Volume>();
    both::<dyn storage::ReplaceFile>();
    both::<dyn storage::EnvCopy>();
    both::<sim::Op>();
    both::<sim::Entry>();
    both::<sim::Torn>();
    both::<sim::Moment>();
    both::<sim::Cut>();
    both::<sim::ParseCutError>();
    both::<sim::Effect>();
    both::<sim::Fault>();
    both::<sim::PowerOff>();
    both::<sim::Board>();
    both::<sim::Counters>();
    both::<sim::SimMedium>();
    both::<sim::SimVolume>();
    both::<error::Place>();
    both::<error::Error>();
    both::<slot::Refusal>();
    both::<slot::Working>();
    both::<slot::Chosen>();
    both::<slot::Step>();
    both::<slot::Boot>();
    both::<slot::Name>();
    both::<slot::Script>();
    both::<slot::Role>();
    both::<slot::Board>();
    both::<slot::Field<slot::Mark>>();
    both::<slot::Mark>();
    both::<slot::Slot>();
    both::<slot::Reason>();
    both::<slot::Failure>();
    both::<slot::State>();
    both::<slot::Standing<'_>>();
    both::<slot::dialect::Dialect>();
    both::<slot::Reader>();
    #[cfg(feature = "settings")]
    {
        both::<slot::Foreign>();
        both::<slot::rauc::Rauc>();
        both::<slot::counted::Counted>();
        both::<slot::counted::Place>();
        both::<slot::dialect::Detected>();
        both::<slot::dialect::Conversion>();
        both::<device::Otherwise>();
    }
    both::<store::CopyHealth>();
    both::<store::Health>();
    both::<store::Transaction<'_>>();
    both::<store::Commit>();
    both::<store::StoreOptions>();
    both::<store::Store>();
    both::<store::Repair>();
    both::<store::Conversion>();
    both::<store::Snapshot>();
    both::<store::find::FoundCopy>();
    both::<store::find::Looked>();
    both::<store::find::FoundEnvironment>();
    both::<find::ByteOrder>();
    both::<find::Found>();
    both::<find::List>();
    both::<find::Findings>();
    both::<find::Scanner>();
    both::<find::pairs::Placed>();
    both::<find::pairs::Group>();
    both::<storage::stream::Piece<'_>>();
    both::<storage::stream::Stream>();
    both::<storage::stream::Partition>();
    both::<device::Device>();
    both::<device::Done>();
    both::<device::Status>();
    both::<device::NextBoot>();
};

#[cfg(feature = "http")]
const _: () = {
    use bootslot::update::source::http;
    both::<http::HttpSource>();
    both::<http::Canceller>();
    both::<http::Options>();
    both::<http::ClientFiles>();
    both::<http::Proxies>();
    both::<http::Retry>();
    both::<http::Waiting<'_>>();
    both::<http::Exchange>();
    both::<http::Method>();
    both::<http::Reply>();
    both::<http::NoAnswer>();
    both::<http::header::ContentRange>();
    both::<http::header::Version>();
    both::<http::url::Url>();
};

/// The public types that a source defines; those of the program, of the system calls and of C are none of the
/// library's.
fn defined(folder: &Path, found: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let foreign = ["bin", "capi", "sys"].iter().any(|name| path.ends_with(format!("src/{name}")));
        if path.is_dir() && !foreign {
            defined(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            for line in fs::read_to_string(&path).unwrap().lines() {
                let kind = ["pub struct ", "pub enum ", "pub trait "]
                    .iter()
                    .find_map(|kind| line.strip_prefix(kind));
                let is_name = |c: char| c.is_ascii_alphanumeric();
                found.extend(kind.and_then(|name| name.split(|c| !is_name(c)).next()).map(str::to_owned));
            }
        }
    }
}

#[test]
fn no_public_type_is_left_out() {
    let mut found = Vec::new();
    defined(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src"), &mut found);
    assert!(found.len() > 70, "{found:?}");
    let here = include_str!("send_sync.rs");
    // What a slot's boot is worked out with is a borrow of the caller's, who knows.
    found.retain(|name| name != "Machine");
    let missing: Vec<_> = found
        .iter()
        .filter(|name| {
            !["::", "dyn storage::", "dyn bootcount::"].iter().any(|before| {
                [">", "<"].iter().any(|behind| here.contains(&format!("{before}{name}{behind}")))
            })
        })
        .collect();
    assert!(missing.is_empty(), "not among the types above: {missing:?}");
}

/// A daemon's worker holds a store, another thread one of its own; what a store gives may be sent on.
#[test]
fn a_store_works_in_another_thread() {
    let board = sim::Board::new();
    let medium = board.block(4096);
    let copies: Vec<Box<dyn storage::EnvCopy>> = [0, 1024]
        .map(|offset| -> Box<dyn storage::EnvCopy> {
            let spec = storage::region::RegionSpec {
                offset,
                size: 1024,
                sector_size: 0,
                sectors: 0,
                limit: u64::MAX,
                disable_lock: false,
            };
            let opener = Box::new(medium.clone());
            let geometry = storage::OpenMedium::open(&medium, storage::Access::Read).unwrap().geometry();
            Box::new(storage::region::RegionCopy::new(opener, "disk", geometry, spec).unwrap())
        })
        .into();
    let options = store::StoreOptions { lock: Some(store::LockPath::None), ..store::StoreOptions::default() };
    let mut store = store::Store::from_copies(copies, options).unwrap();
    let worker = std::thread::spawn(move || {
        let mut change = store.begin_or_init(env::Environment::new()).unwrap();
        change.set(b"a", b"1").unwrap();
        change.commit().unwrap();
        store
    });
    let mut store = worker.join().unwrap();
    let snapshot = store.load().unwrap();
    std::thread::scope(|scope| {
        let seen = scope.spawn(|| snapshot.get(b"a").map(<[u8]>::to_vec));
        assert_eq!(seen.join().unwrap(), Some(b"1".to_vec()));
    });
    assert_eq!(snapshot.get(b"a"), Some(&b"1"[..]));
}
