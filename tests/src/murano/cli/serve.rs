//! `murano serve`

use super::args::Args;
use super::signals::Signals;
use super::Failure;
use crate::murano::{page, Options, Server};
use std::io::{self, Write};
use std::time::Duration;

/// Where the server listens, and its commands look for it, unless told otherwise.
const DEFAULT_LISTEN: &str = "127.0.0.1:8080";
/// A server that nobody stops stops after ten years.
const FOR_EVER: u64 = 10 * 366 * 86_400;

/// Serves until SIGTERM, SIGINT or the end of `--for`.
pub fn serve(args: Args) -> Result<(), Failure> {
    let (options, seconds) = options(args)?;
    let signals = Signals::block();
    let server = Server::start(options)?;
    println!("listening on {}", server.url());
    if let Some(url) = server.tls_url() {
        println!("listening on {url}");
        println!("CA certificate: {}", server.ca_certificate().display());
    }
    match page::is_built_in() {
        true => println!("page: {}/", server.url()),
        false => println!("page: not built in; with Node.js: make page"),
    }
    io::stdout().flush()?;
    signals.wait(Duration::from_secs(seconds));
    Ok(())
}

fn options(mut args: Args) -> Result<(Options, u64), Failure> {
    let data = args.value("--data")?.unwrap_or_else(|| "murano-data".to_string());
    let mut options = Options::new(data);
    options.listen = args.value("--listen")?.unwrap_or_else(|| DEFAULT_LISTEN.to_string());
    options.tls_listen = args.value("--tls-listen")?;
    options.open = args.flag("--open");
    options.product = args.value("--product")?;
    options.rate_limit = args.flag("--rate-limit");
    options.token = args.value("--token")?.filter(|token| !token.is_empty());
    options.latency = Duration::from_millis(args.number("--latency-ms")?.unwrap_or(0));
    while let Some(name) = args.value("--tls-name")? {
        options.tls_names.push(name);
    }
    options.tls_valid = args.value("--tls-valid")?.map(|text| validity(&text)).transpose()?;
    let seconds = args.number("--for")?.unwrap_or(FOR_EVER).min(FOR_EVER);
    match &args.words()?[..] {
        [_] => Ok((options, seconds)),
        words => Err(Failure::Usage(format!("serve takes no words, such as '{}'", words[1]))),
    }
}

/// `FROM,UNTIL` in unix seconds.
fn validity(text: &str) -> Result<(u64, u64), Failure> {
    let parts = text.split_once(',').and_then(|(a, b)| Some((a.parse().ok()?, b.parse().ok()?)));
    // The last second that a certificate can name is in the year 9999.
    match parts {
        Some((from, until)) if from < until && until < 253_402_300_800 => Ok((from, until)),
        _ => Err(Failure::Usage(format!("--tls-valid {text}: not FROM,UNTIL in unix seconds"))),
    }
}
