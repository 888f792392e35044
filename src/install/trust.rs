//! Whether a tarball is believed: size and hash where the request names them, a signature where keys are trusted
//! (docs/decisions.md, "Signed if told so").

use std::path::Path;
use std::time::Duration;

use super::fetch::Area;
use super::gateway::Gateway;
use super::journal::Job;
use super::meter::DownloadMeter;
use super::registry::{App, Refused, FAILED_BEFORE};
use super::security::What;
use super::state::InstallState;
use super::{agent, digest, key_set};
use crate::app::delta::{self, DeltaError};
use crate::app::signature::{KeyId, SignatureError};
use crate::app::{Signed, TarballName, TrustedKeys};
use crate::format::hex;
use crate::orders::ContentLink;
use crate::sys::epoch::BUILD_EPOCH;
use crate::sys::file;

/// The largest signature file, in bytes: minisign's have some 300.
const MAX_SIGNATURE: usize = 4096;

pub use super::key_set::keys;

/// Why a tarball is not believed.
#[derive(Debug, PartialEq, Eq)]
pub enum Distrust {
    /// The network is needed, and not there.
    Later(String),
    /// It is not what was asked for; where it came in parts, getting it whole may mend that.
    Damaged(String),
    /// Permanent.
    Refused(String),
    /// Permanent, and of its signature: an event that is kept. Where it came in parts and the third says so, getting it whole may mend
    /// that.
    Untrusted(What, String, bool),
    /// Permanent, in whatever form it comes: this very version was installed here, and failed.
    Known(String),
}

/// Checks the tarball at `path`, and notes its signature's time in the job.
///
/// # Errors
/// Why it is not believed.
pub fn check(gateway: &Gateway<'_>, job: &mut Job, name: &TarballName, path: &Path) -> Result<(), Distrust> {
    if job.delta.is_some() {
        check_delta(gateway, job, path)?;
        return check_signature(gateway, job, name, path);
    }
    let size =
        std::fs::metadata(path).map_err(|e| Distrust::Refused(format!("cannot read {}: {e}", path.display())))?.len();
    if job.size.is_some_and(|wanted| wanted != size) {
        return Err(Distrust::Damaged(format!("it has {size} bytes, not those of the request")));
    }
    check_hash(gateway, job, path)?;
    check_signature(gateway, job, name, path)
}

/// Size and hash of a request are the tarball's. A delta only says which tarball it stands for: that is believed where it is signed, or
/// where the order names the delta's own SHA-256, too.
fn check_delta(gateway: &Gateway<'_>, job: &Job, path: &Path) -> Result<(), Distrust> {
    let is_named = check_own_hash(job, path)?;
    let head = delta::head_of(path).map_err(|e| Distrust::Damaged(e.to_string()))?;
    if head.name.to_string() != job.content_id() {
        return Err(Distrust::Refused(DeltaError::OtherName.to_string()));
    }
    let sha256 = hex::encode(&head.tarball);
    if let Some(refused) = gateway.registry.refusal(&job.name, &sha256) {
        return Err(Distrust::Known(refused_before(refused)));
    }
    match &job.sha256 {
        Some(wanted) if *wanted != sha256 => {
            Err(Distrust::Refused("it is for another tarball than the request's SHA-256 says".to_string()))
        }
        Some(_) if !is_named && keys(gateway.config).is_open() => {
            Err(Distrust::Refused("the request names the tarball's SHA-256, and no delta is signed here".to_string()))
        }
        _ => Ok(()),
    }
}

/// Checks a delta by the hash that its order names; whether that is a SHA-256.
fn check_own_hash(job: &Job, path: &Path) -> Result<bool, Distrust> {
    let Some(delta) = job.delta_beside() else { return Ok(false) };
    let Some(wanted) = &delta.sha256 else { return check_link(&delta.link, path).map(|()| false) };
    let is = digest::of_file(path).map_err(|e| Distrust::Refused(e.to_string()))?;
    match wanted.eq_ignore_ascii_case(&is) {
        true => Ok(true),
        false => Err(Distrust::Damaged(format!("its SHA-256 is {is}, not that of the order"))),
    }
}

fn check_hash(gateway: &Gateway<'_>, job: &Job, path: &Path) -> Result<(), Distrust> {
    if let Some(link) = job.link.as_ref().filter(|_| job.sha256.is_none()) {
        check_link(link, path)?;
    }
    if job.sha256.is_none() && !gateway.registry.has_refused(&job.name) {
        return Ok(());
    }
    let sha256 = digest::of_file(path).map_err(|e| Distrust::Refused(e.to_string()))?;
    match &job.sha256 {
        Some(wanted) if *wanted != sha256 => {
            Err(Distrust::Damaged(format!("its SHA-256 is {sha256}, not that of the request")))
        }
        _ => match gateway.registry.refusal(&job.name, &sha256) {
            Some(refused) => Err(Distrust::Known(refused_before(refused))),
            None => Ok(()),
        },
    }
}

/// The strongest hash that there is beside SHA-256.
fn check_link(link: &ContentLink, path: &Path) -> Result<(), Distrust> {
    let (kind, wanted, is) = match (&link.sha1, &link.md5) {
        (Some(wanted), _) => ("SHA-1", wanted, digest::sha1_of_file(path)),
        (None, Some(wanted)) => ("MD5", wanted, digest::md5_of_file(path)),
        (None, None) => return Ok(()),
    };
    let is = is.map_err(|e| Distrust::Refused(e.to_string()))?;
    if wanted.eq_ignore_ascii_case(&is) {
        return Ok(());
    }
    Err(Distrust::Damaged(format!("its {kind} is {is}, not that of the order")))
}

/// What is said of a content that is not taken again.
pub fn refused_before(refused: &Refused) -> String {
    let why = refused.why.as_deref().unwrap_or("it was rolled back");
    let app = refused.tarball.app();
    format!(
        "{FAILED_BEFORE} ({why}); to try it all the same, order it with \"force\": true, or say \
         gwe --forget {app} on the gateway; else upload a corrected one"
    )
}

fn check_signature(gateway: &Gateway<'_>, job: &mut Job, name: &TarballName, path: &Path) -> Result<(), Distrust> {
    let keys = keys(gateway.config);
    if job.factory && name.app() != key_set::APP {
        // The image vouches for what it brings; what comes later must not be older.
        job.signed_at = Some(time_of_factory(&keys, job, name, path));
        return Ok(());
    }
    if name.app() == key_set::APP {
        return check_key_set(gateway, job, name, path);
    }
    if keys.is_open() {
        crate::warning!(
            "{}: not signed, or nobody can tell: this gateway trusts no key, and takes what comes",
            job.name
        );
        return Ok(());
    }
    let (signed, signature) = signed_by(gateway, job, path, &keys)?;
    if floor(gateway, name).is_some_and(|floor| signed.timestamp < floor) {
        let reason = "its signature is older than that of the installed version".to_string();
        return Err(Distrust::Untrusted(What::DowngradeRefused, reason, false));
    }
    job.signed_at = Some(signed.timestamp);
    job.signed_by = Some(signed.key.to_string());
    // What waits is checked again, with or without a network.
    job.waiting_mut().signature = Some(signature);
    Ok(())
}

/// What a signature by one of these keys says, and its text.
fn signed_by(gateway: &Gateway<'_>, job: &Job, path: &Path, keys: &TrustedKeys) -> Result<(Signed, String), Distrust> {
    let id = [job.content_id(), ".minisig"].concat();
    let Some(signature) = signature(gateway, job, &id)? else {
        let reason = format!("it is not signed: there is no {id}");
        return Err(Distrust::Untrusted(What::SignatureRefused, reason, false));
    };
    let signed = keys.verify(path, &signature, job.content_id()).map_err(distrust_of)?;
    Ok((signed, signature))
}

fn distrust_of(error: SignatureError) -> Distrust {
    let what = match error {
        SignatureError::File(_) => return Distrust::Refused(error.to_string()),
        SignatureError::Revoked(_) => What::RevokedKey,
        SignatureError::Expired(_) => What::ExpiredKey,
        _ => What::SignatureRefused,
    };
    // Nothing else is explained by a torn part: to fetch the tarball anew would cost its bytes for nothing.
    Distrust::Untrusted(what, error.to_string(), matches!(error, SignatureError::BadSignature))
}

/// Whether the package is a set of keys that the image's root signed, and that may follow the one in force.
fn check_key_set(gateway: &Gateway<'_>, job: &mut Job, name: &TarballName, path: &Path) -> Result<(), Distrust> {
    let refused = |reason, torn| Distrust::Untrusted(What::KeySetRefused, reason, torn);
    let roots = key_set::roots(gateway.config.paths());
    if roots.is_open() {
        return Err(refused("this image trusts no root key, whose signature it would need".to_string(), false));
    }
    let (signed, _) = signed_by(gateway, job, path, &roots).map_err(|distrust| match distrust {
        Distrust::Untrusted(_, reason, torn) => refused(reason, torn),
        other => other,
    })?;
    gateway.key_set_of(path, name).map_err(|reason| refused(reason, false))?;
    job.signed_at = Some(signed.timestamp);
    job.signed_by = Some(signed.key.to_string());
    Ok(())
}

/// Whether what was believed once may still be installed: a set of keys may have come since.
pub fn check_again(gateway: &Gateway<'_>, job: &Job) -> Result<(), (What, String)> {
    let Some(id) = job.signed_by.as_deref().and_then(KeyId::parse) else { return Ok(()) };
    let verdict = keys(gateway.config).still_takes(id, job.signed_at.unwrap_or(0));
    verdict.map_err(distrust_of).map_err(|distrust| match distrust {
        Distrust::Untrusted(what, reason, _) => (what, reason),
        _ => (What::SignatureRefused, "its key is not trusted any more".to_string()),
    })
}

/// Whether a package needs a signature by now and was taken when it needed none, by this agent or by an older one, which does not tell.
pub fn lacks_signature(gateway: &Gateway<'_>, job: &Job) -> bool {
    job.signed_by.is_none() && !job.factory && !keys(gateway.config).is_open()
}

/// The time of what the image brought: of its signature, where it has a good one beside it, else of the image's build (docs/spec/failures.md,
/// A6).
fn time_of_factory(keys: &TrustedKeys, job: &Job, name: &TarballName, path: &Path) -> u64 {
    let text = file::read(&path.with_file_name(name.signature_id()), MAX_SIGNATURE as u64).ok().flatten();
    let signature = text.map(|text| String::from_utf8_lossy(&text).into_owned());
    // A key whose time is over said when it was.
    let signed = signature.and_then(|signature| keys.made_by(path, &signature, &job.name).ok());
    signed.map_or(BUILD_EPOCH, |(signed, _)| signed.timestamp)
}

/// The oldest signature that is taken for the app; `None`: any.
fn floor(gateway: &Gateway<'_>, name: &TarballName) -> Option<u64> {
    let installed = gateway.registry.app(name.app());
    let known = gateway.registry.signed_at(name.app());
    if name.app() == agent::APP {
        // This program itself is what is there.
        return Some(known.map_or(BUILD_EPOCH, |known| known.max(BUILD_EPOCH)));
    }
    // Installed from the image by an agent that did not note its time.
    let is_its =
        |app: &App| TarballName::new(&app.name, &app.version).is_ok_and(|its| gateway.registry.is_factory(&its));
    let is_factory = installed.is_some_and(is_its);
    known.or(is_factory.then_some(BUILD_EPOCH))
}

/// The text of the signature: beside a tarball on disk, or in the content area.
fn signature(gateway: &Gateway<'_>, job: &Job, id: &str) -> Result<Option<String>, Distrust> {
    let kept = job.waiting.as_ref().filter(|_| job.state == InstallState::Verified);
    if let Some(text) = kept.and_then(|waiting| waiting.signature.clone()) {
        return Ok(Some(text));
    }
    let bytes = match (&job.file, gateway.cloud) {
        (Some(tarball), _) => {
            let path = Path::new(tarball).with_file_name(id);
            file::read(&path, MAX_SIGNATURE as u64).map_err(|e| Distrust::Refused(e.to_string()))?
        }
        (None, None) => return Err(Distrust::Later("the network is needed for its signature".to_string())),
        (None, Some(backend)) => {
            let (deadline, turn) = (gateway.deadline, Duration::MAX);
            let area = Area { backend, deadline, turn, meter: DownloadMeter::default() };
            area.signature(job, id, MAX_SIGNATURE).map_err(|e| Distrust::Later(e.to_string()))?
        }
    };
    Ok(bytes.map(|bytes| String::from_utf8_lossy(&bytes).into_owned()))
}
