//! A network between two programs of one machine: it hands on what it hears, each way so much later.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread;
use std::time::{Duration, Instant};

/// The most that is read at once.
const CHUNK: usize = 64 * 1024;
/// How many chunks may be under way in one direction: more than any program sends in a few milliseconds.
const UNDER_WAY: usize = 4_096;

/// What was heard at once, and when it is handed on.
struct Chunk {
    bytes: Vec<u8>,
    due: Instant,
}

/// Takes connections, and makes one to `to` for each of them. Threads wait, and no timer of an event loop:
/// those round a millisecond up to the next.
pub(crate) fn serve(listener: &TcpListener, to: SocketAddr, delay: Duration) -> io::Result<()> {
    thread::scope(|scope| {
        for near in listener.incoming() {
            let near = near?;
            scope.spawn(move || {
                if let Err(error) = forward(&near, to, delay) {
                    eprintln!("delay: {to}: {error}");
                }
            });
        }
        Ok(())
    })
}

/// Serves one connection, until both directions have ended.
fn forward(near: &TcpStream, to: SocketAddr, delay: Duration) -> io::Result<()> {
    let far = &TcpStream::connect(to)?;
    for stream in [near, far] {
        stream.set_nodelay(true)?;
    }
    thread::scope(|scope| {
        for (from, to) in [(near, far), (far, near)] {
            let (sender, receiver) = sync_channel(UNDER_WAY);
            scope.spawn(move || hear(from, &sender, delay));
            scope.spawn(move || {
                if say(to, &receiver).is_err() {
                    // Nobody takes it any more, so nothing more is heard.
                    drop(from.shutdown(Shutdown::Read));
                }
            });
        }
    });
    Ok(())
}

/// Reads while the other end sends, however much is under way: a delay is not a limit.
fn hear(mut from: &TcpStream, sender: &SyncSender<Chunk>, delay: Duration) {
    let mut buffer = vec![0; CHUNK];
    loop {
        match from.read(&mut buffer) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Ok(0) | Err(_) => return,
            Ok(length) => {
                let chunk = Chunk {
                    bytes: buffer[..length].to_vec(),
                    due: Instant::now() + delay,
                };
                if sender.send(chunk).is_err() {
                    return;
                }
            }
        }
    }
}

/// Writes each chunk when it is due, and the end after the last of them.
fn say(mut to: &TcpStream, receiver: &Receiver<Chunk>) -> io::Result<()> {
    for chunk in receiver {
        thread::sleep(chunk.due.saturating_duration_since(Instant::now()));
        to.write_all(&chunk.bytes)?;
    }
    to.shutdown(Shutdown::Write)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const DELAY: Duration = Duration::from_millis(20);

    /// Runs both ends of one connection with the network between them.
    fn between(near: impl FnOnce(TcpStream), far: impl FnOnce(TcpStream) + Send) {
        let bind = || TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let (network, target) = (bind(), bind());
        let (entry, to) = (network.local_addr().unwrap(), target.local_addr().unwrap());
        thread::scope(|scope| {
            scope.spawn(move || forward(&network.accept().unwrap().0, to, DELAY).unwrap());
            scope.spawn(move || far(target.accept().unwrap().0));
            near(TcpStream::connect(entry).unwrap());
        });
    }

    fn read_all(mut stream: &TcpStream) -> Vec<u8> {
        let mut all = Vec::new();
        stream.read_to_end(&mut all).unwrap();
        all
    }

    #[test]
    fn each_direction_is_later_by_the_delay() {
        between(
            |mut near| {
                let began = Instant::now();
                near.write_all(b"?").unwrap();
                let mut answer = [0];
                near.read_exact(&mut answer).unwrap();
                assert_eq!(&answer, b"!");
                assert!(began.elapsed() >= 2 * DELAY);
            },
            |mut far| {
                let mut asked = [0];
                far.read_exact(&mut asked).unwrap();
                far.write_all(b"!").unwrap();
            },
        );
    }

    #[test]
    fn one_direction_alone_is_later_by_the_delay() {
        let (sender, receiver) = sync_channel(1);
        between(
            |mut near| {
                sender.send(Instant::now()).unwrap();
                near.write_all(b"one way").unwrap();
            },
            move |far| {
                assert_eq!(read_all(&far), b"one way");
                assert!(receiver.recv().unwrap().elapsed() >= DELAY);
            },
        );
    }

    #[test]
    fn all_arrives_in_its_order_both_ways_at_once() {
        let numbers =
            |from: u32| -> Vec<u8> { (from..from + 200_000).flat_map(u32::to_be_bytes).collect() };
        let talk = |stream: TcpStream, says: Vec<u8>, hears: Vec<u8>| {
            thread::scope(|scope| {
                scope.spawn(|| {
                    // In pieces of all sizes, whose borders mean nothing.
                    let mut rest = says.as_slice();
                    for size in (1..5_000).cycle().step_by(7) {
                        let (piece, behind) = rest.split_at(size.min(rest.len()));
                        (&stream).write_all(piece).unwrap();
                        rest = behind;
                        if rest.is_empty() {
                            break;
                        }
                    }
                    stream.shutdown(Shutdown::Write).unwrap();
                });
                assert!(read_all(&stream) == hears, "it is not what was sent");
            });
        };
        between(
            |near| talk(near, numbers(0), numbers(7)),
            |far| talk(far, numbers(7), numbers(0)),
        );
    }

    #[test]
    fn what_is_under_way_does_not_hold_up_what_follows() {
        // Were each chunk forwarded before the next is heard, the sender would be held up by the delay of
        // every one of them; so it is counted, not timed: all are heard before the first is due.
        let (sender, receiver) = sync_channel(UNDER_WAY);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let mut near = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let far = listener.accept().unwrap().0;
        thread::scope(|scope| {
            scope.spawn(|| hear(&far, &sender, Duration::from_secs(3_600)));
            for at in 0..100u8 {
                near.write_all(&[at]).unwrap();
            }
            let mut heard = Vec::new();
            while heard.len() < 100 {
                heard.extend(receiver.recv().unwrap().bytes);
            }
            assert!(heard.is_sorted());
            near.shutdown(Shutdown::Both).unwrap();
        });
    }

    #[test]
    fn when_one_end_has_gone_the_other_is_told() {
        between(
            |near| assert_eq!(read_all(&near), b"bye"),
            |mut far| far.write_all(b"bye").unwrap(),
        );
    }
}
