//! What a browser sees: a plain list of what runs. It asks for nothing and does nothing.

use super::fault::MethodFault;
use super::{look, ResidentCore};
use crate::format::xml::escape_into;

/// The page of `/`.
pub(super) fn page(core: &mut dyn ResidentCore) -> Result<String, MethodFault> {
    let mut out = String::from(
        "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Supervisor Status</title>\n</head>\n<body>\n<h1>Supervisor status</h1>\n<table>\n\
         <tr><th scope=\"col\">Name</th><th scope=\"col\">State</th><th scope=\"col\">Description</th></tr>\n",
    );
    for line in look::lines(core)? {
        out.push_str("<tr>");
        for cell in &line {
            out.push_str("<td>");
            escape_into(&mut out, cell);
            out.push_str("</td>");
        }
        out.push_str("</tr>\n");
    }
    out.push_str("</table>\n</body>\n</html>\n");
    Ok(out)
}
