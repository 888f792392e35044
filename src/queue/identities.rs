//! The identities that gmq knows, with their CIKs: one 0600 file, durable before anything is accepted under a new one.
//!
//! Invariant: a CIK that the platform gave is written down before it is used for anything else, since it is given once.

use std::path::{Path, PathBuf};

use super::identity::DeviceIdentity;
use crate::config::Cik;
use crate::sys::file::{self, FileError};

/// Identities known at once. Beyond that, one of a bare CIK with nothing queued makes room.
pub const MAX_IDENTITIES: usize = super::store::state::MAX_CURSORS;

/// Of those that the platform never accepted, a local user may keep so many while there is no room for others.
const FAIR_SHARE: usize = MAX_IDENTITIES / 8;

const ROOT: u32 = 0;
const FILE_NAME: &str = "identities";
const MAX_FILE: u64 = 1024 * 1024;
const MODE: u32 = 0o600;

/// One identity.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KnownIdentity {
    /// Who.
    pub identity: DeviceIdentity,
    /// Its id in the store.
    pub id: u64,
    /// The CIK in use; `None` before it is activated.
    pub cik: Option<Cik>,
    /// The CIK before that: an app that was given it goes on using it.
    pub former: Option<Cik>,
    /// The local user who named it first, where that is known: beside root, the CIK is told to nobody else.
    pub owner: Option<u32>,
    /// The platform has taken something of it, where it is a bare CIK.
    served: bool,
}

impl KnownIdentity {
    /// Whether the platform has ever accepted it.
    #[must_use]
    pub fn is_accepted(&self) -> bool {
        match self.identity {
            DeviceIdentity::Vms(_) => self.cik.is_some() || self.former.is_some(),
            DeviceIdentity::Cik(_) => self.served,
        }
    }

    /// Whether its CIK may be told to this local user.
    #[must_use]
    pub fn may_be_told_to(&self, user: Option<u32>) -> bool {
        user.is_some() && (user == Some(ROOT) || user == self.owner)
    }
}

/// All of them.
#[derive(Debug)]
pub struct Identities {
    path: PathBuf,
    known: Vec<KnownIdentity>,
    /// The disk has all of it.
    is_saved: bool,
}

/// Why an identity was not taken in.
#[derive(Debug)]
pub enum NotTaken {
    /// [`MAX_IDENTITIES`] are known.
    TooMany,
    /// The file could not be written.
    File(FileError),
}

impl std::fmt::Display for NotTaken {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            NotTaken::TooMany => write!(f, "gmq knows {MAX_IDENTITIES} devices, and takes no more"),
            NotTaken::File(e) => write!(f, "{e}"),
        }
    }
}

impl Identities {
    /// Reads them from the queue's folder. Never fails: what cannot be read is logged, and left out.
    #[must_use]
    pub fn load(folder: &Path) -> Identities {
        let path = folder.join(FILE_NAME);
        let bytes = file::read(&path, MAX_FILE).unwrap_or_else(|e| {
            crate::error!("{e}; devices will have to be activated again");
            None
        });
        let text = String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
        let mut known: Vec<KnownIdentity> = Vec::new();
        for line in text.lines().filter(|line| !line.is_empty()) {
            match parse(line) {
                Some(new) if known.len() < MAX_IDENTITIES && known.iter().all(|k| k.id != new.id) => known.push(new),
                // The line may hold a CIK: it is not shown.
                _ => crate::error!("{} has a damaged line, which is left out", path.display()),
            }
        }
        Identities { path, known, is_saved: true }
    }

    /// Whether the disk has taken all that is known. Where it has not, that is lost with this process.
    #[must_use]
    pub fn is_saved(&self) -> bool {
        self.is_saved
    }

    /// All of them.
    #[must_use]
    pub fn all(&self) -> &[KnownIdentity] {
        &self.known
    }

    /// The one of that id.
    #[must_use]
    pub fn get(&self, id: u64) -> Option<&KnownIdentity> {
        self.known.iter().find(|k| k.id == id)
    }

    /// The one that an app means: a CIK that belongs, or did belong, to a device of gmq's own means that device.
    #[must_use]
    pub fn find(&self, identity: &DeviceIdentity) -> Option<&KnownIdentity> {
        let owner = |cik: &Cik| {
            self.known.iter().find(|k| {
                let is_vms = matches!(k.identity, DeviceIdentity::Vms(_));
                is_vms && (k.cik.as_ref() == Some(cik) || k.former.as_ref() == Some(cik))
            })
        };
        match identity {
            DeviceIdentity::Cik(cik) => owner(cik),
            DeviceIdentity::Vms(_) => None,
        }
        .or_else(|| self.known.iter().find(|k| k.identity == *identity))
    }

    /// Takes in a new identity, durably, and returns its id. `is_idle` says of an id whether it may be forgotten.
    ///
    /// # Errors
    /// It is not known then.
    pub fn add(
        &mut self,
        identity: DeviceIdentity,
        owner: Option<u32>,
        is_idle: &dyn Fn(u64) -> bool,
    ) -> Result<u64, NotTaken> {
        let id = identity.id();
        let cik = match &identity {
            DeviceIdentity::Cik(cik) => Some(cik.clone()),
            DeviceIdentity::Vms(_) => None,
        };
        let mut next = self.known.clone();
        if next.len() >= MAX_IDENTITIES {
            // The oldest that the platform never accepted; else a bare CIK, of which nothing is lost: an activated device cannot
            // be activated again.
            let never = |k: &KnownIdentity| !k.is_accepted() && is_idle(k.id);
            let bare = |k: &KnownIdentity| matches!(k.identity, DeviceIdentity::Cik(_)) && is_idle(k.id);
            let place = next.iter().position(never).or_else(|| next.iter().position(bare)).ok_or(NotTaken::TooMany)?;
            next.remove(place);
        }
        next.push(KnownIdentity { identity, id, cik, former: None, owner, served: false });
        self.replace(next).map_err(NotTaken::File)?;
        Ok(id)
    }

    /// Where there is no room: the oldest never accepted identity of the local user who has most of them, if those are more than a fair
    /// share and `user` is another. One who invents devices, with points queued for each, keeps nobody else out (docs/spec/failures.md, A12).
    #[must_use]
    pub fn crowding(&self, user: Option<u32>) -> Option<u64> {
        let invented = || self.known.iter().filter(|k| !k.is_accepted() && k.owner != Some(ROOT) && k.owner != user);
        let count = |owner: Option<u32>| invented().filter(|k| k.owner == owner).count();
        let most = invented().map(|k| (count(k.owner), k.owner)).max_by_key(|(count, _)| *count)?;
        invented().find(|k| most.0 > FAIR_SHARE && k.owner == most.1).map(|k| k.id)
    }

    /// Notes that the platform has taken something of a bare CIK: durably, once.
    pub fn accept(&mut self, id: u64) {
        let is_new = |k: &KnownIdentity| k.id == id && matches!(k.identity, DeviceIdentity::Cik(_)) && !k.served;
        let Some(place) = self.known.iter().position(is_new) else { return };
        let mut next = self.known.clone();
        if let Some(known) = next.get_mut(place) {
            known.served = true;
        }
        if let Err(e) = self.replace(next) {
            crate::debug!("{e}; it is noted the next time");
        }
    }

    /// Keeps the CIK that the platform gave, durably.
    ///
    /// # Errors
    /// It is on no disk; it counts until the process ends all the same.
    pub fn set_cik(&mut self, id: u64, cik: Cik) -> Result<(), FileError> {
        let mut next = self.known.clone();
        if let Some(known) = next.iter_mut().find(|k| k.id == id) {
            if known.cik.as_ref() == Some(&cik) {
                return Ok(());
            }
            known.former = known.cik.replace(cik);
        }
        let result = self.replace(next.clone());
        self.is_saved = result.is_ok();
        self.known = next;
        result
    }

    fn replace(&mut self, next: Vec<KnownIdentity>) -> Result<(), FileError> {
        let mut text = String::new();
        for known in &next {
            text.push_str(&known.identity.encode());
            if matches!(known.identity, DeviceIdentity::Vms(_)) {
                for cik in [&known.cik, &known.former] {
                    text.push(' ');
                    text.push_str(cik.as_ref().map_or(NONE, Cik::secret));
                }
            }
            text.push(' ');
            text.push_str(&known.owner.map_or(NONE.to_string(), |owner| owner.to_string()));
            if known.served {
                text.push_str(SERVED);
            }
            text.push('\n');
        }
        file::replace(&self.path, text.as_bytes(), MODE)?;
        (self.known, self.is_saved) = (next, true);
        Ok(())
    }
}

/// What stands in a line for what is not known.
const NONE: &str = "-";
/// At the end of the line of a bare CIK that the platform knows.
const SERVED: &str = " served";

/// Reads a line. One of a version that knew no owners has none: its CIK is told to root.
fn parse(line: &str) -> Option<KnownIdentity> {
    let mut words = line.split(' ');
    let identity = DeviceIdentity::decode(&mut words)?;
    let (cik, former) = match &identity {
        DeviceIdentity::Cik(cik) => (Some(cik.clone()), None),
        DeviceIdentity::Vms(_) => (words.next().and_then(Cik::parse), words.next().and_then(Cik::parse)),
    };
    let owner = words.next().and_then(|word| word.parse().ok());
    let served = words.next() == Some(SERVED.trim_start());
    Some(KnownIdentity { id: identity.id(), identity, cik, former, owner, served })
}

#[cfg(test)]
mod tests {
    use super::super::identity::Vms;
    use super::*;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    fn scratch(name: &str) -> PathBuf {
        let dir = std::env::temp_dir().join(format!("gwe-identities-{}-{name}", std::process::id()));
        let _ = fs::remove_dir_all(&dir);
        fs::create_dir_all(&dir).unwrap();
        dir
    }

    fn vms(serial: &str) -> DeviceIdentity {
        DeviceIdentity::Vms(Vms::new("p", "p", serial).unwrap())
    }

    fn cik(letter: &str) -> Cik {
        Cik::parse(&letter.repeat(40)).unwrap()
    }

    #[test]
    fn identities_and_ciks_are_durable_and_private() {
        let dir = scratch("durable");
        let mut identities = Identities::load(&dir);
        let id = identities.add(vms("1"), Some(7), &|_| true).unwrap();
        identities.add(DeviceIdentity::Cik(cik("x")), None, &|_| true).unwrap();
        identities.set_cik(id, cik("a")).unwrap();
        identities.set_cik(id, cik("b")).unwrap();
        identities.set_cik(id, cik("b")).unwrap();
        let again = Identities::load(&dir);
        assert_eq!(again.all(), identities.all());
        let known = again.get(id).unwrap();
        assert_eq!((known.cik.clone(), known.former.clone()), (Some(cik("b")), Some(cik("a"))));
        let mode = fs::metadata(dir.join(FILE_NAME)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_cik_that_gmq_gave_out_means_the_device_also_after_it_was_renewed() {
        let dir = scratch("former");
        let mut identities = Identities::load(&dir);
        let id = identities.add(vms("1"), Some(7), &|_| true).unwrap();
        identities.set_cik(id, cik("a")).unwrap();
        identities.set_cik(id, cik("b")).unwrap();
        for letter in ["a", "b"] {
            assert_eq!(identities.find(&DeviceIdentity::Cik(cik(letter))).unwrap().id, id);
        }
        assert!(identities.find(&DeviceIdentity::Cik(cik("c"))).is_none());
        assert_eq!(identities.find(&vms("1")).unwrap().id, id);
        assert!(identities.find(&vms("2")).is_none());
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn damage_costs_the_damaged_lines() {
        let dir = scratch("damage");
        for damage in ["", "\0\0\0\0", "vms p p", "\nvms p p 1 - -\nnonsense\nvms p p 1 - -\nvms p p 2 short -\n"] {
            fs::write(dir.join(FILE_NAME), damage).unwrap();
            let found = Identities::load(&dir);
            let expected = if damage.starts_with('\n') { vec![vms("1"), vms("2")] } else { vec![] };
            assert_eq!(found.all().iter().map(|k| k.identity.clone()).collect::<Vec<_>>(), expected);
        }
        fs::remove_dir_all(dir).unwrap();
    }

    /// docs/spec/failures.md, A12.
    #[test]
    fn what_was_never_accepted_makes_room_oldest_first_and_an_activated_device_is_never_forgotten() {
        let dir = scratch("many");
        let a = "a".repeat(40);
        let lines: String = (3..MAX_IDENTITIES).map(|n| format!("vms p p {n} {a} - 0\n")).collect();
        fs::write(dir.join(FILE_NAME), ["vms p p 1 - - 5\nvms p p 2 - -\n", &lines].concat()).unwrap();
        let mut identities = Identities::load(&dir);
        identities.add(DeviceIdentity::Cik(cik("x")), None, &|_| true).unwrap();
        assert!(matches!(identities.add(vms("new"), None, &|_| false), Err(NotTaken::TooMany)));
        for (new, gone) in [("new", vms("1")), ("newer", vms("2")), ("newest", DeviceIdentity::Cik(cik("x")))] {
            let id = identities.add(vms(new), None, &|_| true).unwrap();
            assert!(identities.find(&gone).is_none(), "{new}");
            identities.set_cik(id, cik(&new[..1])).unwrap();
        }
        assert!(matches!(identities.add(vms("none"), None, &|_| true), Err(NotTaken::TooMany)));
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn one_user_s_inventions_give_way_to_another_s_device() {
        let dir = scratch("crowd");
        let lines: String =
            (0..MAX_IDENTITIES).map(|n| format!("vms p p {n} - - {}\n", if n < 9 { 7 } else { 8 })).collect();
        fs::write(dir.join(FILE_NAME), lines).unwrap();
        let identities = Identities::load(&dir);
        assert_eq!(identities.crowding(Some(7)), Some(vms("9").id()));
        assert_eq!(identities.crowding(Some(0)), Some(vms("9").id()));
        assert_eq!(identities.crowding(Some(8)), None, "nobody makes room for himself at another's cost");
        fs::remove_dir_all(dir).unwrap();
    }

    #[test]
    fn a_cik_is_told_to_root_and_to_who_named_the_device_first() {
        let dir = scratch("owner");
        fs::write(dir.join(FILE_NAME), "vms p p 1 - - 7\nvms p p 2 - -\n").unwrap();
        let identities = Identities::load(&dir);
        let told = |serial: &str, user| identities.find(&vms(serial)).unwrap().may_be_told_to(user);
        assert_eq!([Some(0), Some(7), Some(8), None].map(|user| told("1", user)), [true, true, false, false]);
        assert_eq!([Some(0), Some(7), None].map(|user| told("2", user)), [true, false, false]);
        fs::remove_dir_all(dir).unwrap();
    }
}
