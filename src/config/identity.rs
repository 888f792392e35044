//! Who this gateway is: product id and serial number (docs/spec/gateway-engine.md, "Identity and configuration").

use std::fmt;

use super::ddi::DdiMissing;
use super::{Config, ConfigError, Which};
use crate::sys::net;

/// What activation needs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    /// The product id as vendor.
    pub vendor: String,
    /// The product id as model.
    pub model: String,
    /// The serial number: `uuid`, else the MAC of `iface`.
    pub serial: String,
}

/// What is missing, and the command that sets it. Exit status 255.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Missing {
    /// No vendor or no model.
    Product,
    /// Neither uuid nor iface.
    Serial,
    /// `iface` is set, but has no MAC.
    Mac(String),
    /// hawkBit is to give the orders, and one of its settings is missing.
    Ddi(DdiMissing),
}

impl fmt::Display for Missing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Missing::Product => f.write_str("this gateway has no product id; set it with: gwe --set-product-id <PRODUCT_ID>"),
            Missing::Serial => f.write_str(
                "this gateway has no serial number; set one with: gwe --set-uuid <SERIAL>, or take a MAC with: gwe --set-iface <INTERFACE>",
            ),
            Missing::Ddi(missing) => write!(f, "{missing}"),
            Missing::Mac(iface) => write!(
                f,
                "interface {iface} has no MAC to serve as serial number; choose another with: gwe --set-iface <INTERFACE>, or set one with: gwe --set-uuid <SERIAL>"
            ),
        }
    }
}

impl std::error::Error for Missing {}

/// The serial number, where there is one.
pub(super) fn serial(config: &Config) -> Option<String> {
    serial_with(config, net::mac_address).ok()
}

fn serial_with(config: &Config, mac_of: impl Fn(&str) -> Option<String>) -> Result<String, Missing> {
    Ok(match (config.uuid(), config.iface()) {
        ("", "") => return Err(Missing::Serial),
        ("", iface) => mac_of(iface).ok_or_else(|| Missing::Mac(iface.to_string()))?,
        (uuid, _) => uuid.to_string(),
    })
}

impl Identity {
    /// The identity in force.
    ///
    /// # Errors
    /// What is missing.
    pub fn of(config: &Config) -> Result<Identity, Missing> {
        Identity::with(config, net::mac_address)
    }

    fn with(config: &Config, mac_of: impl Fn(&str) -> Option<String>) -> Result<Identity, Missing> {
        let (vendor, model) = (config.vendor().to_string(), config.model().to_string());
        if vendor.is_empty() || model.is_empty() {
            return Err(Missing::Product);
        }
        Ok(Identity { vendor, model, serial: serial_with(config, mac_of)? })
    }

    /// The identity where orders come from hawkBit: it needs no product, and a serial number only where its id has one in it.
    ///
    /// # Errors
    /// What is missing.
    pub fn of_ddi(config: &Config) -> Result<Identity, Missing> {
        config.ddi().map_err(Missing::Ddi)?;
        let (vendor, model) = (config.vendor().to_string(), config.model().to_string());
        Ok(Identity { vendor, model, serial: serial(config).unwrap_or_default() })
    }

    /// Stores a serial number that came from a MAC as uuid, so that a swapped network card does not change who this is.
    ///
    /// # Errors
    /// The state file could not be written.
    pub fn pin(&self, config: &mut Config) -> Result<(), ConfigError> {
        if config.uuid() == self.serial {
            return Ok(());
        }
        config.set(Which::Gateway, "uuid", &self.serial)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Paths;

    #[test]
    fn the_serial_number_is_the_uuid_else_the_mac_which_is_then_pinned() {
        let dir = std::env::temp_dir().join(format!("gwe-identity-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&dir);
        let mut config = Config::load(Paths::new(&dir));
        let mac = |iface: &str| (iface == "eth0").then(|| "02:42:AC:11:00:02".to_string());
        let of = |config: &Config| Identity::with(config, mac).map(|identity| identity.serial);

        assert_eq!(of(&config), Err(Missing::Product));
        config.set(Which::Gateway, "vendor", "p").unwrap();
        config.set(Which::Gateway, "model", "p").unwrap();
        assert_eq!(of(&config), Err(Missing::Serial));
        config.set(Which::Gateway, "iface", "eth9").unwrap();
        assert_eq!(of(&config), Err(Missing::Mac("eth9".into())));
        config.set(Which::Gateway, "iface", "eth0").unwrap();
        let identity = Identity::with(&config, mac).unwrap();
        assert_eq!(identity.serial, "02:42:AC:11:00:02");
        identity.pin(&mut config).unwrap();
        assert_eq!(Config::load(Paths::new(&dir)).uuid(), "02:42:AC:11:00:02");
        config.set(Which::Gateway, "uuid", "unit-7").unwrap();
        assert_eq!(of(&config), Ok("unit-7".into()));
        std::fs::remove_dir_all(dir).unwrap();
    }
}
