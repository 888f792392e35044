//! Pieces of memory from the kernel: the shared one, and views of files.

use super::arch::number;
use super::system::{ask, SysResult, Path, EINVAL};

const PROT_READ: usize = 1;
const PROT_WRITE: usize = 2;
const MAP_SHARED: usize = 1;
const MAP_PRIVATE: usize = 2;
const MREMAP_MAYMOVE: usize = 1;
const PAGE: usize = 4096;

/// A file in memory, with no name.
pub fn memory_file(name: Path<'_>) -> SysResult<i32> {
    // SAFETY: a name ends with NUL.
    unsafe { ask(number::MEMFD_CREATE, &[name.pointer(), 0]) }.map(|fd| fd as i32)
}

pub fn set_size(fd: i32, size: usize) -> SysResult<usize> {
    // SAFETY: no memory.
    unsafe { ask(number::TRUNCATE, &[fd as usize, size]) }
}

/// Gives the pages below the present frame back, which work that is done has left there: a start of a program goes some 30 kB deep, waiting
/// needs a few hundred bytes. What needs them again gets new ones.
#[inline(never)]
pub fn release_stack() {
    /// More than any work goes deep; what is not there is passed over.
    const DEPTH: usize = 256 << 10;
    const MADV_DONTNEED: usize = 4;
    let here = 0_usize;
    // A page is left for the call itself, so nothing that is in use lies below.
    let end = (&here as *const usize as usize).saturating_sub(PAGE) & !(PAGE - 1);
    // SAFETY: the stack grows down on all these machines, and has one user.
    let _ = unsafe { ask(number::MADVISE, &[end.saturating_sub(DEPTH), DEPTH, MADV_DONTNEED]) };
}

/// Where a piece begins and how large it is.
#[derive(Clone, Copy)]
pub struct Mapping {
    base: *mut u8,
    size: usize,
}

impl Mapping {
    pub const NONE: Mapping = Mapping { base: core::ptr::null_mut(), size: 0 };

    fn map(fd: i32, size: usize, protection: usize, sharing: usize) -> SysResult<Mapping> {
        if size == 0 {
            return Err(EINVAL);
        }
        let size = pages(size);
        // SAFETY: a new piece, wherever the kernel wants.
        let base = unsafe { ask(number::MMAP, &[0, size, protection, sharing, fd as usize, 0]) }?;
        Ok(Mapping { base: base as *mut u8, size })
    }

    pub fn shared(fd: i32, size: usize) -> SysResult<Mapping> {
        Mapping::map(fd, size, PROT_READ | PROT_WRITE, MAP_SHARED)
    }

    pub fn view(fd: i32, size: usize) -> SysResult<Mapping> {
        Mapping::map(fd, size, PROT_READ, MAP_PRIVATE)
    }

    /// Of our own, filled with zeros and taken page by page as it is used.
    pub fn own(size: usize) -> SysResult<Mapping> {
        const MAP_ANONYMOUS: usize = 0x20;
        Mapping::map(-1, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS)
    }

    pub fn resize(&mut self, size: usize) -> SysResult<()> {
        let size = pages(size);
        // SAFETY: the piece is ours, and nobody holds an address in it over this call.
        let base = unsafe { ask(number::MREMAP, &[self.base as usize, self.size, size, MREMAP_MAYMOVE]) }?;
        *self = Mapping { base: base as *mut u8, size };
        Ok(())
    }

    pub fn drop(self) {
        if self.size > 0 {
            // SAFETY: the piece is ours, and forgotten.
            let _ = unsafe { ask(number::MUNMAP, &[self.base as usize, self.size]) };
        }
    }

    pub fn size(&self) -> usize {
        self.size
    }

    /// What stands there. The core is one thread, and nobody else writes.
    pub fn bytes<'a>(&self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        // SAFETY: mapped as large as said, until it is dropped; callers keep no slice over a change.
        unsafe { core::slice::from_raw_parts(self.base, self.size) }
    }

    pub fn bytes_mut<'a>(&self) -> &'a mut [u8] {
        if self.size == 0 {
            return &mut [];
        }
        // SAFETY: as above, and only for a piece that was mapped for writing.
        unsafe { core::slice::from_raw_parts_mut(self.base, self.size) }
    }

    /// A record of whole numbers at a place that is a multiple of eight; `None` where it would not fit.
    pub fn record<'a, T: Copy>(&self, at: usize) -> Option<&'a mut T> {
        let fits = at % 8 == 0 && at.checked_add(core::mem::size_of::<T>())? <= self.size;
        // SAFETY: inside the piece, aligned, and any bytes are such a record.
        fits.then(|| unsafe { &mut *self.base.add(at).cast::<T>() })
    }
}

fn pages(size: usize) -> usize {
    size.saturating_add(PAGE - 1) & !(PAGE - 1)
}
