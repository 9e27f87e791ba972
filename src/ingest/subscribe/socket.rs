//! The broker's socket, and how to leave it alone.
//!
//! A broker sends message by message, and the kernel wakes us for each of them, whether we read now
//! or in a pause. Waking costs more than a message. So while the session reads in pauses the socket
//! is taken out of the runtime's watch and read when the pause is over; it goes back under watch as
//! soon as it has nothing to give.

use std::{
    io::{self, Read, Write},
    mem,
    net::{Shutdown, TcpStream as Unwatched},
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    task::{Context, Poll, ready},
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::TcpStream,
};

/// Whether reads come in pauses now: set by whoever paces, looked at by the socket.
#[derive(Debug, Clone, Default)]
pub(super) struct Paused(Arc<AtomicBool>);

impl Paused {
    pub(super) fn set(&self, paused: bool) {
        self.0.store(paused, Ordering::Relaxed);
    }

    fn get(&self) -> bool {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Debug)]
pub(super) struct Socket {
    state: State,
    paused: Paused,
    /// A write waits until there is room: the watch must not be lifted.
    write_waits: bool,
}

#[derive(Debug)]
enum State {
    Watched(TcpStream),
    Unwatched(Unwatched),
    /// The change from one to the other failed.
    Broken,
}

impl Socket {
    pub(super) fn new(tcp: TcpStream, paused: Paused) -> Self {
        Self { state: State::Watched(tcp), paused, write_waits: false }
    }

    /// Under watch from now on, if it was not.
    fn watched(&mut self) -> io::Result<Pin<&mut TcpStream>> {
        if let State::Unwatched(_) = self.state
            && let State::Unwatched(tcp) = mem::replace(&mut self.state, State::Broken)
        {
            self.state = State::Watched(TcpStream::from_std(tcp)?);
        }
        match &mut self.state {
            State::Watched(tcp) => Ok(Pin::new(tcp)),
            _ => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    fn lift_watch(&mut self) -> io::Result<()> {
        match mem::replace(&mut self.state, State::Broken) {
            State::Watched(tcp) => self.state = State::Unwatched(tcp.into_std()?),
            state => self.state = state,
        }
        Ok(())
    }
}

/// What came at once, `None` when it would have to wait.
fn at_once<T>(mut attempt: impl FnMut() -> io::Result<T>) -> io::Result<Option<T>> {
    loop {
        match attempt() {
            Ok(done) => return Ok(Some(done)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}

impl AsyncRead for Socket {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if let State::Unwatched(tcp) = &mut self.state {
            let room = buffer.initialize_unfilled();
            if let Some(read) = at_once(|| tcp.read(room))? {
                buffer.advance(read);
                return Poll::Ready(Ok(()));
            }
        }
        ready!(self.watched()?.poll_read(context, buffer))?;
        if self.paused.get() && !self.write_waits {
            self.lift_watch()?;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Socket {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if let State::Unwatched(tcp) = &mut self.state
            && let Some(written) = at_once(|| tcp.write(bytes))?
        {
            return Poll::Ready(Ok(written));
        }
        let written = self.watched()?.poll_write(context, bytes);
        self.write_waits = written.is_pending();
        written
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        // TCP keeps nothing back.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.state {
            State::Watched(tcp) => Pin::new(tcp).poll_shutdown(context),
            State::Unwatched(tcp) => Poll::Ready(tcp.shutdown(Shutdown::Write)),
            State::Broken => Poll::Ready(Ok(())),
        }
    }
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt, AsyncWriteExt},
        net::TcpListener,
    };

    use super::*;

    async fn pair() -> (Socket, Paused, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let ours = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (peer, _) = listener.accept().await.unwrap();
        let paused = Paused::default();
        (Socket::new(ours, paused.clone()), paused, peer)
    }

    fn is_watched(socket: &Socket) -> bool {
        matches!(socket.state, State::Watched(_))
    }

    #[tokio::test]
    async fn nothing_is_lost_between_watched_and_not() {
        let (mut socket, paused, mut peer) = pair().await;
        let mut buffer = [0; 5];
        for round in 0..100_u32 {
            paused.set(round % 3 != 0);
            peer.write_all(&round.to_be_bytes()).await.unwrap();
            assert_eq!(socket.read_u32().await.unwrap(), round);
            socket.write_all(b"taken").await.unwrap();
            peer.read_exact(&mut buffer).await.unwrap();
            assert_eq!(&buffer, b"taken");
        }
    }

    #[tokio::test]
    async fn the_watch_is_lifted_while_reads_come_in_pauses_and_set_where_nothing_comes() {
        let (mut socket, paused, mut peer) = pair().await;
        peer.write_u32(1).await.unwrap();
        socket.read_u32().await.unwrap();
        assert!(is_watched(&socket));
        paused.set(true);
        peer.write_u32(2).await.unwrap();
        socket.read_u32().await.unwrap();
        assert!(!is_watched(&socket));
        let late = async { peer.write_u32(3).await.unwrap() };
        let (read, ()) = tokio::join!(socket.read_u32(), late);
        assert_eq!(read.unwrap(), 3);
        paused.set(false);
        peer.write_u32(4).await.unwrap();
        assert_eq!(socket.read_u32().await.unwrap(), 4);
    }

    #[tokio::test]
    async fn a_peer_that_goes_is_noticed_and_one_that_does_not_read_is_waited_for() {
        let (mut socket, paused, mut peer) = pair().await;
        paused.set(true);
        peer.write_u32(1).await.unwrap();
        socket.read_u32().await.unwrap();
        let much = vec![7; 16 << 20];
        let mut got = vec![0; much.len()];
        let (sent, read) = tokio::join!(socket.write_all(&much), peer.read_exact(&mut got));
        assert!(sent.is_ok() && read.is_ok() && got == much);
        peer.write_u32(2).await.unwrap();
        socket.read_u32().await.unwrap();
        drop(peer);
        assert_eq!(socket.read(&mut [0; 8]).await.unwrap(), 0);
    }
}
