//! The pieces that an intake is made of, each alone and in memory, so that a slow one is seen.

use std::{hint::black_box, time::Duration};

use crate::support::mails;
use criterion::{BenchmarkId, Criterion, Throughput};
use helpdesk::mail::{parse::parse, redact::redact_raw, sender::Trust};

pub fn measure() {
    let mut criterion = Criterion::default();
    let mut group = criterion.benchmark_group("mail");
    group.warm_up_time(Duration::from_millis(500)).measurement_time(Duration::from_secs(2)).sample_size(30);
    for (bytes, name) in mails::SIZES {
        let mail = mails::mail(bytes, 1);
        group.throughput(Throughput::Bytes(mail.len() as u64));
        group.bench_with_input(BenchmarkId::new("parse", name), &mail, |bencher, mail| bencher.iter(|| parse(black_box(mail), &Trust::Nobody)));
        group.bench_with_input(BenchmarkId::new("redact_raw", name), &mail, |bencher, mail| bencher.iter(|| redact_raw(black_box(mail))));
    }
    group.finish();
    criterion.final_summary();
}
