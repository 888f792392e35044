//! Answers.

/// An answer, not yet framed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppAnswer {
    /// The HTTP status.
    pub status: u16,
    /// The body; text for people unless `is_json`.
    pub body: String,
    /// Whether the body is JSON.
    pub is_json: bool,
}

impl AppAnswer {
    /// 204: done, nothing to say.
    #[must_use]
    pub fn done() -> AppAnswer {
        AppAnswer { status: 204, body: String::new(), is_json: false }
    }

    /// 200 and a text.
    #[must_use]
    pub fn text(body: &str) -> AppAnswer {
        AppAnswer { status: 200, body: body.to_string(), is_json: false }
    }

    /// 200 and JSON.
    #[must_use]
    pub fn json(body: String) -> AppAnswer {
        AppAnswer { status: 200, body, is_json: true }
    }

    /// An error and a sentence that says what is wrong.
    #[must_use]
    pub fn error(status: u16, sentence: &str) -> AppAnswer {
        AppAnswer { status, body: [sentence, "\n"].concat(), is_json: false }
    }

    /// Appends the answer as bytes. The header's name is spelled `Content-Length: ` to the letter, in each answer: there are
    /// clients that search for just that.
    pub fn write(&self, out: &mut Vec<u8>, persistence: Persistence, extent: SentPart) {
        let mut head = String::with_capacity(128);
        head.push_str("HTTP/1.1 ");
        head.push_str(&self.status.to_string());
        head.push(' ');
        head.push_str(reason(self.status));
        if !self.body.is_empty() {
            head.push_str("\r\nContent-Type: ");
            head.push_str(if self.is_json { "application/json" } else { "text/plain; charset=utf-8" });
        }
        head.push_str("\r\nContent-Length: ");
        head.push_str(&self.body.len().to_string());
        head.push_str(match persistence {
            Persistence::Usual => "",
            Persistence::KeepAlive => "\r\nConnection: keep-alive",
            Persistence::Close => "\r\nConnection: close",
        });
        head.push_str("\r\n\r\n");
        out.extend_from_slice(head.as_bytes());
        if extent == SentPart::Whole {
            out.extend_from_slice(self.body.as_bytes());
        }
    }
}

/// How much of an answer is sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SentPart {
    /// All of it.
    Whole,
    /// What HEAD asks for: the length of the body, and no body (RFC 9110, 9.3.2; docs/spec/failures.md, case 14).
    Head,
}

/// What an answer says of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Persistence {
    /// HTTP/1.1, which stays open.
    Usual,
    /// HTTP/1.0 that asked to stay open.
    KeepAlive,
    /// It is closed behind the answer.
    Close,
}

/// What tells a client to send the body that it announced.
pub const CONTINUE: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        204 => "No Content",
        400 => "Bad Request",
        404 => "Not Found",
        405 => "Method Not Allowed",
        408 => "Request Timeout",
        413 => "Content Too Large",
        415 => "Unsupported Media Type",
        431 => "Request Header Fields Too Large",
        501 => "Not Implemented",
        503 => "Service Unavailable",
        505 => "HTTP Version Not Supported",
        _ => "Error",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(answer: &AppAnswer, persistence: Persistence) -> String {
        let mut out = Vec::new();
        answer.write(&mut out, persistence, SentPart::Whole);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn each_answer_has_its_content_length_to_the_letter() {
        assert_eq!(
            bytes(&AppAnswer::done(), Persistence::Usual),
            "HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n"
        );
        assert_eq!(
            bytes(&AppAnswer::text("cik"), Persistence::KeepAlive),
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
             Connection: keep-alive\r\n\r\ncik"
        );
        assert_eq!(
            bytes(&AppAnswer::error(503, "é"), Persistence::Close),
            "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Length: 3\r\n\
             Connection: close\r\n\r\né\n"
        );
        let mut head = Vec::new();
        AppAnswer::text("cik").write(&mut head, Persistence::Usual, SentPart::Head);
        assert!(head.ends_with(b"Content-Length: 3\r\n\r\n"));
        assert!(bytes(&AppAnswer::json("{}".into()), Persistence::Usual)
            .contains("application/json\r\nContent-Length: 2\r\n"));
    }
}
