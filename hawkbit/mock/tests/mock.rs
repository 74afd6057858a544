//! The real program and the mock of the `hawkbit` crate, which somebody else has written for a client of his own. It takes no
//! message that differs in a byte from what is expected.
#![allow(clippy::unwrap_used, clippy::panic)]

#[path = "../../tests/common/place.rs"]
mod place;
#[path = "../../tests/common/workshop.rs"]
mod workshop;

use std::fs;

use bootslot::slot::Reason;
use hawkbit::ddi::{ClientAuthorization, Execution, Finished, MaintenanceWindow, Type};
use hawkbit_mock::ddi::{ChunkProtocol, Deployment, DeploymentBuilder, Server, ServerBuilder, Target};
use place::Place;
use serde_json::json;
use workshop::{random, workshop, Made, COMPATIBLE};

const IMAGE: usize = 400_000;

struct Scene {
    place: Place,
    _server: Server,
    target: Target,
    made: Made,
}

fn scene() -> Scene {
    let place = Place::new(1 << 20);
    let made = workshop().bundle("2.0", COMPATIBLE, &random(IMAGE, 6));
    fs::write(place.path("os.bundle"), &made.bytes).unwrap();
    let server = ServerBuilder::default().build();
    let target = server.add_target("dev");
    let ClientAuthorization::TargetToken(token) = &target.client_auth else { panic!("a token is wanted") };
    place.write("token", token.as_bytes());
    place.server(&server.base_url(), "");
    Scene { place, _server: server, target, made }
}

impl Scene {
    fn deployment(&self, update: Type, window: Option<MaintenanceWindow>) -> Deployment {
        let files = vec![(self.place.path("os.bundle"), "0", "0", "0")];
        let builder = DeploymentBuilder::new("10", Type::Forced, update);
        let builder = match window {
            Some(window) => builder.maintenance_window(window),
            None => builder,
        };
        builder.chunk(ChunkProtocol::BOTH, "os", "1.0", "os", files).build()
    }

    #[track_caller]
    fn visit(&self) {
        let ran = self.place.visit();
        assert_eq!(ran.code, Some(0), "{}", ran.says);
    }
}

#[test]
fn a_good_update_is_told_as_the_mock_expects_it() {
    let mut scene = scene();
    let attributes = json!({ "mode": "merge", "data": {
        "client": concat!("bootslot-hawkbit ", "0.1.0"), "compatible": COMPATIBLE, "version": "1.0", "build": "one",
        "slot": "A", "slot.A": "good", "slot.B": "unknown",
    } });
    scene.target.request_config(attributes);
    scene.target.push_deployment(scene.deployment(Type::Forced, None));
    let line = format!("version 2.0 ({}) is installed", scene.made.id);
    let told = |execution, finished, line: &str| {
        scene.target.expect_deployment_feedback("10", execution, finished, None, vec![line])
    };
    let begun = told(Execution::Proceeding, Finished::None, &line);
    let there =
        told(Execution::Proceeding, Finished::None, "it is in the slot, read back, and waits for the reboot");
    let runs = told(Execution::Proceeding, Finished::None, "it runs, on trial");
    let good = told(Execution::Closed, Finished::Success, "version 2.0 runs, and is confirmed");
    scene.visit();
    assert_eq!((scene.target.config_data_hits(), begun.calls(), there.calls()), (1, 1, 1));
    assert!(scene.place.is_rebooting());
    assert!(fs::read(scene.place.path("b.img")).unwrap().starts_with(&random(IMAGE, 6)));
    scene.place.boot();
    scene.visit();
    assert_eq!((runs.calls(), good.calls()), (1, 0));
    scene.place.device().confirm(None).unwrap();
    scene.visit();
    assert_eq!(good.calls(), 1);
}

#[test]
fn a_rollback_is_told_as_the_mock_expects_it() {
    let mut scene = scene();
    scene.target.push_deployment(scene.deployment(Type::Forced, None));
    // The messages on the way are not expected: the mock does not know them, and that is no reason to stop.
    let failed = scene.target.expect_deployment_feedback(
        "10",
        Execution::Closed,
        Finished::Failure,
        None,
        vec!["rolled back: health"],
    );
    scene.visit();
    scene.place.boot();
    scene.place.device().roll_back(Reason::Health).unwrap();
    scene.place.boot();
    scene.visit();
    assert_eq!(failed.calls(), 1);
}

#[test]
fn an_order_to_cancel_is_told_as_the_mock_expects_it() {
    let scene = scene();
    scene.target.cancel_action("10");
    let told = scene.target.expect_cancel_feedback(
        "10",
        Execution::Closed,
        Finished::Success,
        vec!["it was called off"],
    );
    scene.visit();
    // The mock goes on to offer it. It is told once in a visit.
    assert!(scene.target.cancel_action_hits() >= 1);
    assert_eq!(told.calls(), 1);
}

#[test]
fn a_window_that_is_not_open_is_waited_for() {
    let scene = scene();
    scene.target.push_deployment(scene.deployment(Type::Skip, Some(MaintenanceWindow::Unavailable)));
    scene.visit();
    assert!(!scene.place.is_rebooting());
    assert!(fs::read(scene.place.path("b.img")).unwrap().starts_with(&random(IMAGE, 6)));
}
