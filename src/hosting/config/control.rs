//! `[supervisorctl]`: which server is asked, and how.

use super::names::{NamedSection, Names};
use super::{sources, users, Surroundings};

/// What the section says, or the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)] // each is the option of its name
pub struct Control {
    pub serverurl: String,
    pub prompt: String,
    pub username: Option<String>,
    pub password: Option<String>,
    pub history_file: Option<String>,
}

impl Default for Control {
    fn default() -> Control {
        Control {
            serverurl: "http://localhost:9001".to_string(),
            prompt: "supervisor".to_string(),
            username: None,
            password: None,
            history_file: None,
        }
    }
}

/// Reads the section of this file.
///
/// # Errors
/// As supervisorctl says it.
pub fn control(file: &str, surroundings: &Surroundings) -> Result<Control, String> {
    let ini = sources::read_alone(file)?;
    if ini.section("supervisorctl").is_none() {
        return Err(".ini file does not include supervisorctl section".to_string());
    }
    let whole = users::absolute(&users::with_home(file), &surroundings.folder);
    let (mut common, mut here, none) = (Names::default(), Names::default(), Names::default());
    common.add_environment(&surroundings.environment);
    here.set_text(
        "here",
        whole.rsplit_once('/').map_or("/", |(folder, _)| if folder.is_empty() { "/" } else { folder }),
    );
    let section = NamedSection { ini: &ini, name: "supervisorctl", common: &common };
    let default = Control::default();
    let normal = |path: &str| users::absolute(&users::with_home(path), &surroundings.folder);
    let serverurl = section.get("serverurl", &default.serverurl, &here)?;
    Ok(Control {
        serverurl: match serverurl.strip_prefix("unix://") {
            Some(path) => ["unix://", &normal(path)].concat(),
            None => serverurl,
        },
        prompt: section.get("prompt", &default.prompt, &none)?,
        username: section.find("username", &none)?,
        password: section.find("password", &none)?,
        history_file: section.find("history_file", &here)?.filter(|path| !path.is_empty()).map(|path| normal(&path)),
    })
}
