//! The connection beneath the session: TCP, or TLS by the system's library.

use std::{io, path::Path};

use native_tls::{Certificate, TlsConnector};
use tokio::{
    fs,
    io::{AsyncRead, AsyncWrite},
    net::TcpStream,
};

use super::{
    broker::Broker,
    loss::Loss,
    socket::{Paused, Socket},
};

/// Bytes both ways.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Stream for T {}

/// Connects. The file of the certificate authority is read each time, so that it can be mended
/// while the daemon runs.
pub(super) async fn connect(
    broker: &Broker,
    ca_file: Option<&Path>,
    paused: &Paused,
) -> Result<Box<dyn Stream>, Loss> {
    let tcp =
        TcpStream::connect((broker.host.as_str(), broker.port)).await.map_err(Loss::Unreachable)?;
    // Many small acknowledgements: waiting to fill a packet would hold back the broker's window.
    tcp.set_nodelay(true).map_err(Loss::Unreachable)?;
    let tcp = Socket::new(tcp, paused.clone());
    if !broker.tls {
        return Ok(Box::new(tcp));
    }
    let connector = tokio_native_tls::TlsConnector::from(connector(ca_file).await?);
    let tls = connector.connect(&broker.host, tcp).await.map_err(|error| tls(&error))?;
    Ok(Box::new(tls))
}

async fn connector(ca_file: Option<&Path>) -> Result<TlsConnector, Loss> {
    let mut builder = TlsConnector::builder();
    if let Some(file) = ca_file {
        let pem = fs::read(file).await.map_err(|error| unreadable(file, error.to_string()))?;
        let certificates = Certificate::stack_from_pem(&pem)
            .map_err(|error| unreadable(file, error.to_string()))?;
        if certificates.is_empty() {
            return Err(unreadable(file, "no certificate in it (expected PEM)".to_owned()));
        }
        for certificate in certificates {
            builder.add_root_certificate(certificate);
        }
    }
    builder.build().map_err(|error| tls(&error))
}

fn tls(error: &native_tls::Error) -> Loss {
    // A connection that breaks in the middle of the handshake says nothing about certificates.
    match std::error::Error::source(error).and_then(|cause| cause.downcast_ref::<io::Error>()) {
        Some(cause) => Loss::Closed(Some(io::Error::new(cause.kind(), cause.to_string()))),
        None => Loss::Tls(error.to_string()),
    }
}

fn unreadable(file: &Path, why: String) -> Loss {
    Loss::File { file: file.display().to_string(), why }
}
