//! Rewords the transport's refusal of a message over the size limit as etcd's: another code and
//! another text, both of which clients know.
//!
//! The refusal is the transport's because such a message is never read into memory.

use crate::errors::{OUTCOME_KEY, OUTCOME_REFUSED};
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use tonic::codegen::http::{HeaderMap, HeaderValue, Response};
use tower::{Layer, Service};

/// How the transport begins its text; it goes on `N bytes, the limit is: M bytes`.
const TRANSPORT_TEXT: &str = "Error, decoded message length too large: found ";

/// Wraps a service so that its refusals of oversized messages read as etcd's.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct RewordOversize;

impl<S> Layer<S> for RewordOversize {
    type Service = Reworded<S>;

    fn layer(&self, inner: S) -> Reworded<S> {
        Reworded(inner)
    }
}

/// See [`RewordOversize`].
#[derive(Clone, Debug)]
pub(crate) struct Reworded<S>(S);

impl<S, Request, Body> Service<Request> for Reworded<S>
where
    S: Service<Request, Response = Response<Body>>,
    S::Future: Send + 'static,
{
    type Response = Response<Body>;
    type Error = S::Error;
    type Future = Pin<Box<dyn Future<Output = Result<Response<Body>, S::Error>> + Send>>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), S::Error>> {
        self.0.poll_ready(context)
    }

    fn call(&mut self, request: Request) -> Self::Future {
        let response = self.0.call(request);
        Box::pin(async move {
            let mut response = response.await?;
            reword(response.headers_mut());
            Ok(response)
        })
    }
}

/// A refusal before any answer stands in the headers.
fn reword(headers: &mut HeaderMap) {
    let text = headers.get("grpc-message").and_then(|text| text.to_str().ok());
    let Some((found, limit)) = text.and_then(sizes) else { return };
    let text = format!("grpc: received message larger than max ({found} vs. {limit})");
    let text = text.replace(' ', "%20");
    let text = HeaderValue::from_str(&text).expect("digits and plain letters make a header");
    headers.insert("grpc-message", text);
    headers.insert("grpc-status", HeaderValue::from(tonic::Code::ResourceExhausted as i32));
    headers.insert(OUTCOME_KEY, HeaderValue::from_static(OUTCOME_REFUSED));
}

/// The message's size and the limit, in bytes, out of the transport's (percent-encoded) text.
fn sizes(text: &str) -> Option<(u64, u64)> {
    let text = text.replace("%20", " ").replace("%3A", ":").replace("%2C", ",");
    let rest = text.strip_prefix(TRANSPORT_TEXT)?;
    let (found, rest) = rest.split_once(" bytes, the limit is: ")?;
    let limit = rest.strip_suffix(" bytes")?;
    Some((found.parse().ok()?, limit.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(status: &'static str, text: &'static str) -> HeaderMap {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static(status));
        headers.insert("grpc-message", HeaderValue::from_static(text));
        headers
    }

    #[test]
    fn only_the_transports_own_text_is_reworded() {
        let theirs = "etcdserver:%20mvcc:%20required%20revision%20has%20been%20compacted";
        let mut other = headers("11", theirs);
        reword(&mut other);
        assert_eq!(other, headers("11", theirs));
        let mut oversize = headers(
            "11",
            "Error,%20decoded%20message%20length%20too%20large:%20found%209%20bytes,%20the%20limit%20is:%208%20bytes",
        );
        reword(&mut oversize);
        assert_eq!(oversize["grpc-status"], "8");
        let text = oversize["grpc-message"].to_str().unwrap().replace("%20", " ");
        assert_eq!(text, "grpc: received message larger than max (9 vs. 8)");
    }
}
