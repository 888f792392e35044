//! The Device API: the client, the transport (the only use of minreq) and the account of every request (spec: device-api.md).
