//! The section `[bootcount]` of the settings: where U-Boot's boot counter is.

use std::path::{Path, PathBuf};

use serde::Deserialize;
use toml::Spanned;

use super::wrong::{path, wrong, Wrong};
use crate::bootcount::layout::MAGIC;
use crate::bootcount::{Layout, Order, Source};

/// What a board with these chips has unless it says otherwise.
const AM33XX_RTC: u64 = 0x44e3_e000;
const ZYNQMP_REGISTER: &str = "/sys/devices/platform/firmware:zynqmp-firmware/pggs2";

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Bootcount {
    #[serde(rename = "type")]
    kind: Spanned<Kind>,
    path: Option<Spanned<PathBuf>>,
    address: Option<Spanned<u64>>,
    offset: Option<Spanned<u64>>,
    layout: Option<Spanned<LayoutName>>,
    #[serde(rename = "byte-order")]
    order: Option<Spanned<OrderName>>,
    magic: Option<Spanned<u32>>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum Kind {
    Environment,
    File,
    Memory,
    Nvmem,
    Flash,
    Am33xx,
    Am33xxNvmem,
    Zynqmp,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum LayoutName {
    SingleWord,
    DoubleWord,
    Ram32,
    Ram64,
    UpgradeWord,
    Short,
    SysconShort,
    Pair,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "kebab-case")]
enum OrderName {
    Little,
    Big,
}

impl Bootcount {
    pub(super) fn source(mut self) -> Result<Source, Wrong> {
        let kind = *self.kind.get_ref();
        let source = match kind {
            Kind::Environment => Source::Environment,
            Kind::File => {
                Source::Bytes { path: self.needed_path()?, offset: 0, layout: Layout::File, order: None }
            }
            Kind::Memory => {
                let address = self.address.take();
                let address =
                    address.ok_or_else(|| wrong(&self.kind, "this type needs an address".into()))?;
                let layout = self.layout(LayoutName::DoubleWord)?;
                let path = self.path_or("/dev/mem")?;
                let order = self.order();
                Source::Memory { path, address: address.into_inner(), layout, order, unlock: Vec::new() }
            }
            Kind::Nvmem => {
                let path = self.needed_path()?;
                let offset = self.offset.take().map_or(0, Spanned::into_inner);
                let layout = self.layout(LayoutName::Short)?;
                Source::Bytes { path, offset, layout, order: self.order() }
            }
            Kind::Flash => {
                let path = self.needed_path()?;
                Source::Flash { path, offset: self.offset.take().map_or(0, Spanned::into_inner) }
            }
            Kind::Am33xx | Kind::Am33xxNvmem => {
                let base = self.address.take().map_or(AM33XX_RTC, Spanned::into_inner);
                let layout = match kind {
                    Kind::Am33xx => Layout::SingleWord { magic: self.magic() },
                    _ => Layout::UpgradeWord,
                };
                Source::am33xx(self.path_or("/dev/mem")?, base, layout)
            }
            Kind::Zynqmp => Source::Zynqmp { path: self.path_or(ZYNQMP_REGISTER)? },
        };
        self.nothing_left()?;
        Ok(source)
    }

    fn needed_path(&mut self) -> Result<PathBuf, Wrong> {
        match self.path.take() {
            Some(given) => path(given),
            None => Err(wrong(&self.kind, "this type needs a path".into())),
        }
    }

    fn path_or(&mut self, default: &str) -> Result<PathBuf, Wrong> {
        self.path.take().map_or_else(|| Ok(Path::new(default).into()), path)
    }

    fn order(&mut self) -> Option<Order> {
        self.order.take().map(|order| match order.into_inner() {
            OrderName::Little => Order::Little,
            OrderName::Big => Order::Big,
        })
    }

    fn magic(&mut self) -> u32 {
        self.magic.take().map_or(MAGIC, Spanned::into_inner)
    }

    fn layout(&mut self, default: LayoutName) -> Result<Layout, Wrong> {
        Ok(match self.layout.take().map_or(default, Spanned::into_inner) {
            LayoutName::SingleWord => Layout::SingleWord { magic: self.magic() },
            LayoutName::DoubleWord => Layout::DoubleWord { magic: self.magic() },
            LayoutName::Ram32 => Layout::Ram { word: 4 },
            LayoutName::Ram64 => Layout::Ram { word: 8 },
            LayoutName::UpgradeWord => Layout::UpgradeWord,
            LayoutName::Short => Layout::Short { magic: 0xbc },
            LayoutName::SysconShort => Layout::Short { magic: 0xb0 },
            LayoutName::Pair => Layout::Pair,
        })
    }

    /// A key that this type does not look at is a mistake.
    fn nothing_left(&self) -> Result<(), Wrong> {
        let at = [
            self.path.as_ref().map(|key| ("path", key.span())),
            self.address.as_ref().map(|key| ("address", key.span())),
            self.offset.as_ref().map(|key| ("offset", key.span())),
            self.layout.as_ref().map(|key| ("layout", key.span())),
            self.order.as_ref().map(|key| ("byte-order", key.span())),
            self.magic.as_ref().map(|key| ("magic", key.span())),
        ];
        match at.into_iter().flatten().next() {
            Some((key, span)) => Err((span.start, format!("{key} means nothing for this type and layout"))),
            None => Ok(()),
        }
    }
}
