//! The calls behind `gdc`'s commands: operands in, what is to be printed out.

use std::io::{self, Read};
use std::path::Path;
use std::time::Duration;

use miniserde::{json, Serialize};

use super::save::{ToFile, ToStdout};
use super::shown::{done, of_values, GdcFailure, GdcOutput};
use crate::config::identity::Identity;
use crate::config::{Cik, Config};
use crate::device::{Client, Settings, MAX_WAIT};
use crate::sys::file::FileError;

/// The longest value from stdin, in bytes.
const MAX_VALUE: u64 = 512 * 1024;

/// What the flags say, and the calls under them.
pub struct Options {
    /// The gateway's configuration.
    pub config: Config,
    /// Another server than the configured one.
    pub server: Option<String>,
    /// How patient to be.
    pub timeout: Option<Duration>,
    /// What a long poll knows already.
    pub since: Option<String>,
    /// Another product than the configured one.
    pub product: Option<String>,
    /// Where a download goes.
    pub output: Option<String>,
    /// Whether it goes on behind what is there.
    pub is_continued: bool,
}

type GdcResult = Result<GdcOutput, GdcFailure>;

impl Options {
    /// `gdc write`.
    pub fn write(&self, cik: &str, alias: &str, value: &str) -> GdcResult {
        let (cik, value) = (parse_cik(cik)?, value_of(value)?);
        self.client()?.write(&cik, &[(alias, &value)])?;
        Ok(done(String::new(), "null".to_string()))
    }

    /// `gdc read`.
    pub fn read(&self, cik: &str, aliases: &[&str]) -> GdcResult {
        let values = self.client()?.read(&parse_cik(cik)?, aliases)?;
        Ok(of_values(&values, aliases.len() == 1))
    }

    /// `gdc wait`: `--timeout` is the poll's own time, the transport's limits come on top.
    pub fn wait(&self, cik: &str, aliases: &[&str]) -> GdcResult {
        let cik = parse_cik(cik)?;
        let client = Client::new(self.settings()?)?;
        match client.wait(&cik, aliases, self.timeout.unwrap_or(MAX_WAIT), self.since.as_deref())? {
            Some(waited) if !waited.values.is_empty() => Ok(of_values(&waited.values, aliases.len() == 1)),
            // Also where one was emptied.
            _ => Ok(GdcOutput { status: 1, ..done(String::new(), "null".to_string()) }),
        }
    }

    /// `gdc record`.
    pub fn record(&self, cik: &str, alias: &str, points: &[&str]) -> GdcResult {
        let cik = parse_cik(cik)?;
        let mut values = Vec::with_capacity(points.len());
        for point in points {
            let parsed = point.split_once('=').and_then(|(ts, value)| Some((ts.parse::<i64>().ok()?, value)));
            let wrong = || GdcFailure::Usage(format!("'{point}' is not TS=VALUE, TS in unix seconds"));
            let (ts, value) = parsed.ok_or_else(wrong)?;
            values.push((ts, value_of(value)?));
        }
        let values: Vec<(i64, &str)> = values.iter().map(|(ts, value)| (*ts, value.as_str())).collect();
        self.client()?.record(&cik, &[(alias, &values)])?;
        Ok(done(String::new(), "null".to_string()))
    }

    /// `gdc activate`. It stores nothing: `gwe` keeps the gateway's own CIK.
    pub fn activate(&self, named: Option<(&str, &str, &str)>) -> GdcResult {
        let cik = match named {
            Some((vendor, model, sn)) => self.client()?.activate(vendor, model, sn)?,
            None => {
                let who = Identity::of(&self.config).map_err(|e| GdcFailure::NotConfigured(e.to_string()))?;
                self.client()?.activate(&who.vendor, &who.model, &who.serial)?
            }
        };
        Ok(done(format!("{}\n", cik.secret()), json::to_string(cik.secret())))
    }

    /// `gdc content list`.
    pub fn content_list(&self) -> GdcResult {
        let (vendor, model) = self.product()?;
        let ids = self.client()?.content_list(vendor, model)?;
        Ok(done(ids.iter().flat_map(|id| [id, "\n"]).collect(), json::to_string(&ids)))
    }

    /// `gdc content info`.
    pub fn content_info(&self, id: &str) -> GdcResult {
        #[derive(Serialize)]
        struct Info {
            content_type: String,
            size: u64,
            time: u64,
            meta: String,
        }
        let (vendor, model) = self.product()?;
        let info = self.client()?.content_info(vendor, model, id)?;
        let (content_type, size, time, meta) = (info.content_type, info.size, info.time, info.meta);
        let plain = format!("type {content_type}\nsize {size}\ntime {time}\nmeta {meta}\n");
        Ok(done(plain, json::to_string(&Info { content_type, size, time, meta })))
    }

    /// `gdc content download`.
    pub fn content_download(&self, id: &str) -> GdcResult {
        let (vendor, model) = self.product()?;
        let client = self.client()?;
        let name = match self.output.as_deref() {
            Some("-") => {
                client.download(vendor, model, id, 0, &mut ToStdout)?;
                return Ok(GdcOutput { plain: String::new(), json: String::new(), status: 0 });
            }
            Some(name) => name,
            // An id is the platform's text: it must not choose a place elsewhere.
            None if id.contains('/') || id.starts_with('.') || id.is_empty() => {
                return Err(GdcFailure::Usage(format!("'{id}' is no plain file name: give one with -O FILE")));
            }
            None => id,
        };
        let here = |e: FileError| GdcFailure::Here(e.to_string());
        let mut sink = ToFile::open(Path::new(name), self.is_continued).map_err(here)?;
        client.download(vendor, model, id, sink.size, &mut sink)?;
        let size = sink.finish().map_err(here)?;
        Ok(done(String::new(), json::to_string(&size)))
    }

    /// `gdc timestamp`.
    pub fn timestamp(&self) -> GdcResult {
        let time = self.client()?.timestamp()?;
        Ok(done(format!("{time}\n"), json::to_string(&time)))
    }

    /// A client under the limit of `--timeout`.
    fn client(&self) -> Result<Client, GdcFailure> {
        let mut settings = self.settings()?;
        if let Some(time) = self.timeout {
            settings.total_limit = time;
            settings.stall_limit = settings.stall_limit.min(time);
            settings.connect_limit = settings.connect_limit.min(time);
        }
        Ok(Client::new(settings)?)
    }

    fn settings(&self) -> Result<Settings, GdcFailure> {
        let mut settings = Settings::of(&self.config, "gdc");
        if let Some(problem) = self.config.obstacle().filter(|p| self.server.is_none() || p.key == "cacert") {
            return Err(GdcFailure::NotConfigured(problem.to_string()));
        }
        match &self.server {
            Some(server) => settings.server = server.clone(),
            // Without a product id the platform's own server has no name.
            None if settings.server.is_empty() => {
                let how = "no server: run `gwe --set-product-id ID` or `gwe --set-server URL`, or give --server URL";
                return Err(GdcFailure::NotConfigured(how.to_string()));
            }
            None => {}
        }
        Ok(settings)
    }

    /// Vendor and model.
    fn product(&self) -> Result<(&str, &str), GdcFailure> {
        match &self.product {
            Some(id) => Ok((id, id)),
            None if self.config.vendor().is_empty() || self.config.model().is_empty() => {
                let how = "no product id: run `gwe --set-product-id ID`, or give --product-id ID";
                Err(GdcFailure::NotConfigured(how.to_string()))
            }
            None => Ok((self.config.vendor(), self.config.model())),
        }
    }
}

fn parse_cik(text: &str) -> Result<Cik, GdcFailure> {
    // `gwe --gateway-cik` prints '' before the gateway is activated.
    if text.is_empty() || text == "''" {
        return Err(GdcFailure::NotConfigured("no CIK: the gateway is not activated yet".to_string()));
    }
    Cik::parse(text).ok_or_else(|| GdcFailure::Usage("a CIK is 40 letters and digits".to_string()))
}

/// A value of the command line; `-` is what stdin holds, without the line end that a shell adds.
fn value_of(text: &str) -> Result<String, GdcFailure> {
    if text != "-" {
        return Ok(text.to_string());
    }
    let mut bytes = Vec::new();
    let result = io::stdin().take(MAX_VALUE + 1).read_to_end(&mut bytes);
    result.map_err(|e| GdcFailure::Here(format!("cannot read stdin: {e}")))?;
    if bytes.len() as u64 > MAX_VALUE {
        return Err(GdcFailure::Here(format!("stdin holds more than {MAX_VALUE} bytes")));
    }
    let text = String::from_utf8(bytes).map_err(|_| GdcFailure::Here("stdin is no UTF-8 text".to_string()))?;
    Ok(text.strip_suffix('\n').map(str::to_string).unwrap_or(text))
}
