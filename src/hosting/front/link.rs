//! The way to the core: four descriptors that it leaves open, and what is asked over them.

use std::fs::File;
use std::io;
use std::net::TcpStream;
use std::os::fd::{AsRawFd, OwnedFd};
use std::os::unix::fs::FileExt;
use std::time::Duration;

use super::connection::{has_gone, serve, FrontLogin};
use super::now::{text, Now};
use super::{reload, Gone, ResidentCore};
use crate::hosting::definition::{Server, Settings, MAX_CONFIGURATION};
use crate::hosting::encode::Bytes;
use crate::hosting::protocol::{CoreRequest, Reply, FD_CONFIGURATION, FD_CONNECTION, FD_CORE, FD_STATE, MAX_PACKET};
use crate::hosting::state::{Header, MAX_STATE};
use crate::hosting::wire::records;
use crate::hosting::{config, start};
use crate::sys::{clock, core_link};

/// The core answers at once; if it does not, something is wrong with it.
const ANSWER: Duration = Duration::from_secs(30);
/// The memory is read again so often when it was being changed.
const TRIES: u32 = 1000;
const CHUNK: usize = 64 << 10;

struct FrontLink {
    core: OwnedFd,
    state: File,
    configuration: File,
    client: Option<TcpStream>,
    /// A change was told while an answer was waited for.
    has_changed: bool,
}

/// What the core started this process for.
#[must_use]
pub fn run(arguments: &[std::ffi::OsString]) -> u8 {
    let word = |at: usize| arguments.get(at).and_then(|word| word.to_str());
    let inherited = |fd| core_link::inherited(fd);
    let (Some(core), Some(state), Some(configuration)) =
        (inherited(FD_CORE), inherited(FD_STATE), inherited(FD_CONFIGURATION))
    else {
        return 2;
    };
    let mut link = FrontLink {
        core,
        state: File::from(state),
        configuration: File::from(configuration),
        client: None,
        has_changed: false,
    };
    let done = match word(0) {
        Some("serve") => serve_section(&mut link, word(1).unwrap_or_default()),
        Some("reload") => {
            // What it would say has been said in the log.
            let _ = reload::restart(&mut link);
            Ok(())
        }
        _ => return 2,
    };
    u8::from(done.is_err())
}

fn serve_section(link: &mut FrontLink, section: &str) -> io::Result<()> {
    let gone = || io::Error::from(io::ErrorKind::NotConnected);
    let client = TcpStream::from(core_link::inherited(FD_CONNECTION).ok_or_else(gone)?);
    link.client = Some(client.try_clone()?);
    let now = link.state().ok().and_then(Now::of).ok_or_else(gone)?;
    let servers = now.settings().servers;
    let server = records(servers, Server::decode).find(|server| server.section == section.as_bytes());
    // Who cannot be told apart from nobody is let in nowhere.
    let server = server.ok_or_else(gone)?;
    let login = FrontLogin { username: server.username.to_vec(), password: server.password.to_vec() };
    serve(link, &client, &login)
}

fn read_whole(file: &File, limit: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut chunk = vec![0; CHUNK];
    while bytes.len() <= limit {
        match file.read_at(&mut chunk, bytes.len() as u64) {
            Ok(0) => return Ok(bytes),
            Ok(count) => bytes.extend(chunk.get(..count).unwrap_or_default()),
            Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Err(io::Error::from(io::ErrorKind::InvalidData))
}

impl FrontLink {
    fn sequence(&self) -> Option<u32> {
        let mut head = [0; 16];
        self.state.read_exact_at(&mut head, 0).ok()?;
        Some(Header::read(&head).sequence)
    }

    fn receive(&self, limit: Duration) -> Result<Option<Reply>, Gone> {
        let mut packet = [0; 256];
        let count = match core_link::receive(&self.core, &mut packet, limit) {
            Ok(None) => return Ok(None),
            Ok(Some(0)) => return Err(Gone),
            Ok(Some(count)) => count,
            Err(e) if e.kind() == io::ErrorKind::Interrupted => return Ok(None),
            Err(_) => return Err(Gone),
        };
        packet.get(..count).and_then(Reply::decode).map(Some).ok_or(Gone)
    }
}

impl ResidentCore for FrontLink {
    fn state(&mut self) -> Result<Vec<u8>, Gone> {
        for _ in 0..TRIES {
            let before = self.sequence().ok_or(Gone)?;
            if before % 2 == 0 {
                let bytes = read_whole(&self.state, MAX_STATE).map_err(|_| Gone)?;
                if self.sequence() == Some(before) {
                    return Ok(bytes);
                }
            }
            clock::sleep(Duration::from_millis(1));
        }
        Err(Gone)
    }

    fn configuration(&mut self) -> Result<Vec<u8>, Gone> {
        read_whole(&self.configuration, MAX_CONFIGURATION).map_err(|_| Gone)
    }

    fn ask(&mut self, request: &CoreRequest<'_>, with: Option<&[u8]>) -> Result<Reply, Gone> {
        let mut packet = Bytes::default();
        if !request.encode(&mut packet) || packet.0.len() > MAX_PACKET {
            return Err(Gone);
        }
        let file = with.map(core_link::memory_file).transpose().map_err(|_| Gone)?;
        let descriptor = file.as_ref().map(AsRawFd::as_raw_fd);
        core_link::send(&self.core, &packet.0, descriptor).map_err(|_| Gone)?;
        let deadline = clock::since_boot() + ANSWER;
        loop {
            let left = deadline.saturating_sub(clock::since_boot());
            match self.receive(left)? {
                Some(Reply::Changed) => self.has_changed = true,
                Some(reply) => return Ok(reply),
                None if left.is_zero() => return Err(Gone),
                None => {}
            }
        }
    }

    fn wait(&mut self, limit: Duration) -> Result<(), Gone> {
        if std::mem::take(&mut self.has_changed) {
            return Ok(());
        }
        if self.receive(limit)?.is_none() && self.client.as_ref().is_some_and(has_gone) {
            return Err(Gone);
        }
        Ok(())
    }

    fn read_again(&mut self, settings: &Settings<'_>) -> Result<config::Configuration, String> {
        let arguments: Vec<Vec<u8>> = crate::hosting::wire::texts(settings.arguments).map(<[u8]>::to_vec).collect();
        start::read_again(&arguments, &text(settings.started_in))
    }

    fn clocks(&mut self) -> (i64, u64) {
        let wall = i64::try_from(clock::unix_seconds()).unwrap_or(i64::MAX);
        (wall, u64::try_from(clock::monotonic().as_millis()).unwrap_or(u64::MAX))
    }
}
