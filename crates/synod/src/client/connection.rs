//! Reaching a member, and which member may be tried next.
//!
//! A connection that was never made has carried nothing: any request may go to the next member. Once
//! a write was sent it is never sent again, whatever comes back.

use super::Global;
use super::problem::{Kind, Problem};
use std::future::Future;
use std::time::Duration;
use tokio::time::{Instant, timeout_at};
use tonic::transport::{Channel, Endpoint};
use tonic::{Code, Status};

/// The members that a command may talk to.
pub(super) struct Cluster {
    endpoints: Vec<(String, Endpoint)>,
    timeout: Duration,
}

impl Cluster {
    /// Checks the addresses; nothing is connected yet.
    pub(super) fn new(global: &Global) -> Result<Self, Problem> {
        let endpoints = global.endpoints.iter().map(|address| endpoint(address, global.timeout));
        let endpoints = endpoints.collect::<Result<Vec<_>, _>>()?;
        Ok(Self { endpoints, timeout: global.timeout })
    }

    /// One call to one member, the first that can be reached; reads go on to the next member when
    /// one cannot answer. All attempts together have the time of `--timeout`.
    pub(super) async fn call<T, F>(
        &self,
        kind: Kind,
        call: impl Fn(Channel) -> F,
    ) -> Result<T, Problem>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let deadline = Instant::now() + self.timeout;
        let mut last = Problem::Unavailable("no endpoints are given".into());
        for index in 0..self.endpoints.len() {
            let channel = match self.reach(index, deadline).await {
                Ok(channel) => channel,
                Err(problem) => {
                    last = problem;
                    continue;
                }
            };
            let answer = timeout_at(deadline, call(channel)).await;
            match answer.map_err(|_| Problem::timeout(kind))? {
                Ok(answer) => return Ok(answer),
                Err(status) if kind == Kind::Read && status.code() == Code::Unavailable => {
                    last = Problem::of(&status, kind);
                }
                Err(status) => return Err(Problem::of(&status, kind)),
            }
        }
        Err(last)
    }

    /// A connection to the first member that can be reached, starting at `first` and going round.
    pub(super) async fn any(&self, first: usize) -> Result<Channel, Problem> {
        let deadline = Instant::now() + self.timeout;
        let mut last = Problem::Unavailable("no endpoints are given".into());
        for step in 0..self.endpoints.len() {
            match self.reach((first + step) % self.endpoints.len(), deadline).await {
                Ok(channel) => return Ok(channel),
                Err(problem) => last = problem,
            }
        }
        Err(last)
    }

    /// One call to each member, for commands about members.
    pub(super) async fn each<T, F>(
        &self,
        call: impl Fn(Channel) -> F,
    ) -> Vec<(&str, Result<T, Problem>)>
    where
        F: Future<Output = Result<T, Status>>,
    {
        let mut answers = Vec::with_capacity(self.endpoints.len());
        for (index, (address, _)) in self.endpoints.iter().enumerate() {
            let deadline = Instant::now() + self.timeout;
            let answer = match self.reach(index, deadline).await {
                Ok(channel) => match timeout_at(deadline, call(channel)).await {
                    Ok(answer) => answer.map_err(|status| Problem::of(&status, Kind::Read)),
                    Err(_) => Err(Problem::timeout(Kind::Read)),
                },
                Err(problem) => Err(problem),
            };
            answers.push((address.as_str(), answer));
        }
        answers
    }

    async fn reach(&self, index: usize, deadline: Instant) -> Result<Channel, Problem> {
        let (address, endpoint) = &self.endpoints[index];
        match timeout_at(deadline, endpoint.connect()).await {
            Ok(Ok(channel)) => Ok(channel),
            Ok(Err(error)) => {
                let reason = innermost(&error);
                Err(Problem::Unavailable(format!("{address} cannot be reached: {reason}")))
            }
            Err(_) => Err(Problem::Unavailable(format!("{address} does not answer"))),
        }
    }
}

/// Accepts what etcd's tools accept: `host:port` with or without `http://`.
fn endpoint(address: &str, timeout: Duration) -> Result<(String, Endpoint), Problem> {
    let address = address.trim();
    let bare = address.strip_prefix("http://").unwrap_or(address).trim_end_matches('/');
    if address.starts_with("https://") {
        let text = format!("{address}: the command line does not speak TLS yet; use http://");
        return Err(Problem::Usage(text));
    }
    let endpoint = Endpoint::from_shared(format!("http://{bare}"))
        .map_err(|_| Problem::Usage(format!("`{address}` is not an endpoint; write HOST:PORT")))?;
    Ok((bare.to_owned(), endpoint.connect_timeout(timeout).tcp_nodelay(true)))
}

/// The last cause says what happened; the ones before it only where.
fn innermost(error: &dyn std::error::Error) -> String {
    let mut error = error;
    while let Some(cause) = error.source() {
        error = cause;
    }
    error.to_string()
}
