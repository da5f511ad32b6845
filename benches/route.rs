//! A trivial route through the handler, beside bare warp that answers the same bytes.
//!
//! Three servers in one process, each on a runtime of its own, asked in turn: bare warp, the handler without log lines, the handler with them.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    thread,
    time::{Duration, Instant},
};

use crate::support::{Figures, folder, http::Client};
use helpdesk::{handler, wiring::Purpose};
use tokio::{
    net::TcpListener,
    runtime::{Builder, Runtime},
    sync::watch,
};
use tracing::level_filters::LevelFilter;
use warp::Filter;

/// The first round is not counted.
const ROUNDS: usize = 12;
const CONNECTIONS: [usize; 2] = [1, 16];
const ROUND_REQUESTS: usize = 8_000;
const PATH: &str = "/api/health";

pub fn measure() {
    let data = folder();
    let quiet = runtime(LevelFilter::WARN);
    let logging = runtime(LevelFilter::INFO);
    let bare = runtime(LevelFilter::WARN);
    let house = quiet.block_on(crate::support::house(data.path(), Purpose::Host));
    let (_ready, readiness) = watch::channel(Some(house.app.clone()));
    let serve = |runtime: &Runtime| {
        let (listener, address) = listen(runtime);
        runtime.spawn(handler::serve(listener, readiness.clone(), std::future::pending()));
        address
    };
    let handlers = [serve(&quiet), serve(&logging)];
    let answer = Client::connect(handlers[0]).and_then(|mut client| Ok(client.get(PATH)?.1.to_vec())).expect("the handler answers");
    let servers = [serve_bare(&bare, answer.clone()), handlers[0], handlers[1]];
    println!("route: GET {PATH}, {} bytes, {} rounds of {ROUND_REQUESTS} requests; median (least to most)", answer.len(), ROUNDS - 1);
    println!("{:<12} {:<28} {:>26} {:>26} {:>22}", "connections", "server", "requests per second", "microseconds an answer", "rate beside bare warp");
    for connections in CONNECTIONS {
        let mut rounds: [Vec<f64>; 3] = Default::default();
        for round in 0..ROUNDS {
            for at in 0..servers.len() {
                let at = (round + at) % servers.len();
                let took = ask(servers[at], connections, &answer);
                if round > 0 {
                    rounds[at].push(ROUND_REQUESTS as f64 / took.as_secs_f64());
                }
            }
        }
        for (rates, name) in rounds.iter().zip(["bare warp", "handler, HELPDESK_LOG=warn", "handler, a log line each"]) {
            let ratio = Figures::of(rates.iter().zip(&rounds[0]).map(|(ours, bare)| ours / bare));
            let latency = Figures::of(rates.iter().map(|rate| 1e6 * connections as f64 / rate));
            println!("{connections:<12} {name:<28} {:>26.0} {latency:>26.0} {ratio:>22.2}", Figures::of(rates.iter().copied()));
        }
    }
}

/// Its threads log as the handler's process does, to nowhere.
fn runtime(level: LevelFilter) -> Runtime {
    let subscriber = tracing_subscriber::fmt().json().flatten_event(true).with_span_list(false).with_target(false);
    let subscriber = tracing::Dispatch::new(subscriber.with_max_level(level).with_writer(io::sink).finish());
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        // The guard would take it back at once.
        .on_thread_start(move || std::mem::forget(tracing::dispatcher::set_default(&subscriber)))
        .build()
        .expect("a runtime")
}

fn listen(runtime: &Runtime) -> (TcpListener, SocketAddr) {
    let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("loopback has a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    (listener, address)
}

fn serve_bare(runtime: &Runtime, answer: Vec<u8>) -> SocketAddr {
    let (listener, address) = listen(runtime);
    let route =
        warp::get().and(warp::path!("api" / "health")).map(move || warp::reply::with_header(answer.clone(), "content-type", "application/json"));
    runtime.spawn(warp::serve(route).incoming(listener).run());
    address
}

fn ask(server: SocketAddr, connections: usize, answer: &[u8]) -> Duration {
    let mut clients: Vec<Client> = (0..connections).map(|_| Client::connect(server).expect("the server takes connections")).collect();
    let started = Instant::now();
    thread::scope(|scope| {
        for client in &mut clients {
            scope.spawn(|| {
                for _ in 0..ROUND_REQUESTS / connections {
                    let (status, body) = client.get(PATH).expect("the server answers");
                    assert!(status == 200 && body == answer, "another answer: {status}");
                }
            });
        }
    });
    started.elapsed()
}
