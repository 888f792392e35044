//! The deflating side.

use std::io::{self, Write};

use miniz_oxide::deflate::core::{create_comp_flags_from_zip_params, CompressorOxide};
use miniz_oxide::deflate::stream::deflate;
use miniz_oxide::{MZFlush, MZStatus};

use super::{DEFLATE, MAGIC};

/// Compressed bytes gathered before they are written.
const OUTPUT: usize = 32 * 1024;
/// A tarball is built once and travels many times over cellular links: the smallest is the best.
const LEVEL: i32 = 9;

/// Writes one gzip member without a time or a name, so that equal data gives equal bytes. [`Writer::finish`] must be called.
pub struct Writer<'a> {
    sink: &'a mut dyn Write,
    deflater: Box<CompressorOxide>,
    output: Box<[u8]>,
    crc: crc32fast::Hasher,
    /// Modulo 2^32, as the trailer holds it.
    length: u32,
}

impl<'a> Writer<'a> {
    /// Writes the header.
    ///
    /// # Errors
    /// What the sink says.
    pub fn new(sink: &'a mut dyn Write) -> io::Result<Writer<'a>> {
        // No flags, no time; 2: "slowest, smallest"; 3: Unix.
        sink.write_all(&[MAGIC[0], MAGIC[1], DEFLATE, 0, 0, 0, 0, 0, 2, 3])?;
        let flags = create_comp_flags_from_zip_params(LEVEL, -15, 0);
        Ok(Writer {
            sink,
            deflater: Box::new(CompressorOxide::new(flags)),
            output: vec![0; OUTPUT].into_boxed_slice(),
            crc: crc32fast::Hasher::new(),
            length: 0,
        })
    }

    /// Ends the data and writes the trailer.
    ///
    /// # Errors
    /// What the sink says.
    pub fn finish(mut self) -> io::Result<()> {
        while self.step(&[], MZFlush::Finish)?.1 != MZStatus::StreamEnd {}
        self.sink.write_all(&self.crc.clone().finalize().to_le_bytes())?;
        self.sink.write_all(&self.length.to_le_bytes())?;
        self.sink.flush()
    }

    fn step(&mut self, data: &[u8], flush: MZFlush) -> io::Result<(usize, MZStatus)> {
        let result = deflate(&mut self.deflater, data, &mut self.output, flush);
        let status = result.status.map_err(|_| io::Error::other("the compressor failed"))?;
        self.sink.write_all(&self.output[..result.bytes_written])?;
        Ok((result.bytes_consumed, status))
    }
}

impl Write for Writer<'_> {
    fn write(&mut self, data: &[u8]) -> io::Result<usize> {
        if data.is_empty() {
            return Ok(0);
        }
        // The compressor may first want to hand out what it holds, and take nothing.
        let mut taken = 0;
        while taken == 0 {
            taken = self.step(data, MZFlush::None)?.0;
        }
        self.crc.update(&data[..taken]);
        self.length = self.length.wrapping_add(taken as u32);
        Ok(taken)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
