//! Activation.

use super::{form_body, is_product, Answer, Refusal};
use crate::murano::http::body::Body;
use crate::murano::http::form::value;
use crate::murano::http::response::Response;
use crate::murano::platform::Platform;
use crate::murano::store::Activation;

/// `vendor`, `model` and `sn`, or `id` alone.
pub fn activate(platform: &Platform, body: &mut Body) -> Answer {
    let pairs = form_body(body)?;
    let (vendor, model) = (value(&pairs, "vendor"), value(&pairs, "model"));
    let sn = match (value(&pairs, "sn"), value(&pairs, "id")) {
        (Some(sn), _) if vendor.is_some() && model.is_some() => sn,
        (Some(_), None) => return Err(Refusal::new(400, "sn needs vendor and model beside it")),
        (_, Some(id)) => id,
        (None, None) => return Err(Refusal::new(400, "neither vendor, model and sn, nor id")),
    };
    if sn.is_empty() {
        return Err(Refusal::new(400, "the serial number is empty"));
    }
    if !is_product(platform, vendor, model) {
        return Err(Refusal::new(404, "no such product"));
    }
    match platform.store.activate(sn, platform.options.open)? {
        Activation::Activated(cik) => Ok(Response::text(200, cik)),
        Activation::Unknown => Err(Refusal::new(404, "no such device")),
        Activation::NotEnabled => Err(Refusal::new(409, "the device has been activated already")),
    }
}
