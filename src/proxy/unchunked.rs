//! Answers from HTTP/2 to clients of HTTP/1.0: without chunks, which they do not know (RFC 9112, section 7).
//!
//! The platform frames an answer without a length in chunks, for each client of an app that speaks HTTP/2, after our last
//! look at its head. This is a module of its own because those come later. The end of the connection ends such a body.

use std::any::Any;

use async_trait::async_trait;
use http::Version;
use http::header::TRANSFER_ENCODING;
use pingora::http::{RequestHeader, ResponseHeader};
use pingora::modules::http::{HttpModule, HttpModuleBuilder, Module};

/// The module of one request.
struct Unchunked {
    http10: bool,
}

#[async_trait]
impl HttpModule for Unchunked {
    async fn request_header_filter(&mut self, request: &mut RequestHeader) -> pingora::Result<()> {
        self.http10 = request.version < Version::HTTP_11;
        Ok(())
    }

    async fn response_header_filter(&mut self, response: &mut ResponseHeader, _end: bool) -> pingora::Result<()> {
        if self.http10 {
            response.remove_header(&TRANSFER_ENCODING);
        }
        Ok(())
    }

    fn as_any(&self) -> &dyn Any {
        self
    }

    fn as_any_mut(&mut self) -> &mut dyn Any {
        self
    }
}

/// Makes the module for each request.
pub struct UnchunkedBuilder;

impl HttpModuleBuilder for UnchunkedBuilder {
    fn init(&self) -> Module {
        Box::new(Unchunked { http10: false })
    }
}
