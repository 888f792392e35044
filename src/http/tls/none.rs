//! A build without TLS: a session that never is.

use std::io::{self, Read, Write};

use crate::http::roots::Roots;
use crate::http::wire::Wire;

pub(crate) enum Session {}

impl Session {
    pub(crate) fn new(_: Wire, _: &str, _: &Roots) -> Result<Session, String> {
        Err("this program was built without TLS".to_string())
    }

    pub(crate) fn wire(&self) -> &Wire {
        match *self {}
    }

    pub(crate) fn is_ready(&self) -> bool {
        match *self {}
    }

    pub(crate) fn wants_write(&self) -> bool {
        match *self {}
    }

    pub(crate) fn has_more(&self) -> bool {
        match *self {}
    }
}

impl Read for Session {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        match *self {}
    }
}

impl Write for Session {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        match *self {}
    }

    fn flush(&mut self) -> io::Result<()> {
        match *self {}
    }
}
