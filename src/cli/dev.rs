//! `helpdesk dev`: the whole help desk on this machine, and what a person wants to know of it.

use std::{io::ErrorKind, path::Path, process::ExitCode, sync::Arc, time::Duration};

use anyhow::{Context, Result};
use bytes::Bytes;
use serde::Deserialize;
use tokio::{
    net::TcpListener,
    sync::{mpsc::UnboundedReceiver, watch},
};

use super::{
    COMMAND_LINE, Data, FOLDER, create_folder, inbox as inbox_of, printable,
    sample::{self, Sample},
    say,
};
use crate::{
    access::Role,
    config::Config,
    devhost::{
        self, Invocation, Settings, inbox,
        queues::{MAX_DEQUEUE_COUNT, Wakes},
    },
    functions::{ALL, App},
    handler::{self, logs},
    mail::sender::Trust,
    tenants::{self, Mailbox, Tenant},
    wiring::{self, Purpose},
};

/// How long one sample mail may take; what takes longer goes on in the background.
const SAMPLE_WAIT: Duration = Duration::from_secs(30);
/// The functions that tell what became of a mail.
const INTAKE: &str = "IntakeMail";
const INTAKE_POISON: &str = "MailIntakePoison";
/// What the outcome of a mail begins with that is not done.
const FAILED: &str = "failed at try ";
const STILL_WAITING: &str = "is still waiting";
/// Mailboxes that the first lines name.
const MAILBOXES_SHOWN: usize = 5;

#[derive(clap::Args)]
#[command(
    mut_arg("data", |data| data.help(FOLDER)),
    after_help = "Examples:\n  helpdesk dev --sample      two demo tenants and their mail\n  helpdesk dev --port 8080   another port"
)]
pub(super) struct Arguments {
    #[command(flatten)]
    data: Data,
    /// Port of the API on 127.0.0.1
    #[arg(long, default_value_t = 7071)]
    port: u16,
    /// Add two demo tenants and take in twenty sample mails
    #[arg(long)]
    sample: bool,
}

pub(super) async fn run(arguments: Arguments, mut config: Config) -> Result<ExitCode> {
    let folder = arguments.data.folder(&config);
    config.data = Some(folder.clone());
    let listener = TcpListener::bind(Config::address(arguments.port)).await.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => anyhow::anyhow!("port {} is in use: stop what uses it, or choose another with --port", arguments.port),
        _ => anyhow::Error::from(error).context(format!("port {} cannot be bound", arguments.port)),
    })?;
    let house = wiring::house(&config, Purpose::Host).await?;
    let log_folder = folder.join("logs");
    create_folder(&log_folder)?;
    logs::to_files(config.log, &log_folder).context("the log folder cannot be written to")?;
    let app = house.app.clone();

    // The handler listens on a port of its own, as under the Functions host.
    let handler_listener = TcpListener::bind(Config::address(0)).await.context("no port for the handler")?;
    let handler_address = handler_listener.local_addr()?;
    let (stop_host, host_stopped) = watch::channel(false);
    let (stop_handler, handler_stopped) = watch::channel(false);
    let (_ready, readiness) = watch::channel(Some(app.clone()));
    let handler = tokio::spawn(handler::serve(handler_listener, readiness, until(handler_stopped)));

    let (observer, mut invocations) = tokio::sync::mpsc::unbounded_channel();
    let wakes = Wakes::of(ALL);
    let public = listener.local_addr()?;
    let settings = Settings { handler: handler_address, listener, table: ALL, state: folder.clone(), wakes: wakes.clone(), observer: Some(observer) };
    let ports = app.ports.clone();
    let mut host = tokio::spawn(async move { devhost::run(settings, ports, until(host_stopped)).await });

    let mail_out = if config.smtp_url.is_some() { "the server of HELPDESK_SMTP_URL".to_owned() } else { folder.join("outbox").display().to_string() };
    let takes_entras_tokens = config.entra_application.is_some();
    let show = async {
        if arguments.sample {
            add_demo_tenants(&app).await?;
        }
        greet(&app, &folder, &mail_out, &format!("http://{public}"), takes_entras_tokens).await?;
        if arguments.sample {
            take_in_samples(&app, &wakes, &mut invocations).await?;
        }
        say("Ready. Ctrl-C stops.")?;
        // Whatever arrives from now on.
        while let Some(invocation) = invocations.recv().await {
            if let Some(became) = Became::of(&invocation) {
                became.show()?;
            }
        }
        anyhow::Ok(())
    };
    let shown = tokio::select! {
        () = handler::stop_signal() => Ok(()),
        shown = show => shown,
        ended = &mut host => {
            ended??;
            anyhow::bail!("the embedded host ended by itself");
        }
    };
    // What cannot be shown ends no call in mid-work.
    let shown = shown.and(say("Stopping."));
    // One after the other: a call that the host has begun finds its handler.
    stop_host.send_replace(true);
    if !host.is_finished() {
        host.await??;
    }
    stop_handler.send_replace(true);
    handler.await?;
    shown.map(|()| ExitCode::SUCCESS)
}

async fn until(mut stopped: watch::Receiver<bool>) {
    // The sender is gone only when the process ends anyway.
    let _ = stopped.wait_for(|stopped| *stopped).await;
}

async fn greet(app: &Arc<App>, folder: &Path, mail_out: &str, url: &str, takes_entras_tokens: bool) -> Result<()> {
    let tenants = tenants::list(app.ports.documents.as_ref(), &app.keyring).await?;
    say(&format!("helpdesk dev {}  data in {}, logs in {}", env!("CARGO_PKG_VERSION"), folder.display(), folder.join("logs").display()))?;
    say(&format!("  API       {url}/api/tickets"))?;
    say(&format!("  Health    {url}/api/health"))?;
    for (at, mailbox) in tenants.iter().flat_map(|tenant| &tenant.mailboxes).take(inbox::ENTRIES_A_FOLDER_MAX).enumerate() {
        let inbox = inbox_of(folder, mailbox);
        create_folder(&inbox)?;
        if at < MAILBOXES_SHOWN {
            say(&format!("  Mail in   {}", inbox.display()))?;
        }
    }
    say(&format!("  Mail out  {mail_out}"))?;
    match tenants.first() {
        Some(_) if takes_entras_tokens => say("  Try       a token of Entra: HELPDESK_ENTRA_APPLICATION is set, and no other opens anything\n"),
        Some(tenant) => {
            let token = wiring::local_token(folder, &tenant.id, Role::Agent, None, time::Duration::hours(8)).await?;
            say(&format!("  Try       curl -s -H 'Authorization: Bearer {token}' {url}/api/tickets\n"))
        }
        None => say("  No tenant yet: `helpdesk tenant add`, or start with --sample\n"),
    }
}

async fn add_demo_tenants(app: &Arc<App>) -> Result<()> {
    // Contoso's mail comes by a server that says who is proven; fabrikam's by one whose word does not count.
    for (id, name, mailbox, trust) in [
        ("contoso", "Contoso", "help@contoso.example", "rfc8601 mx.contoso.example".parse()?),
        ("fabrikam", "Fabrikam", "support@fabrikam.example", Trust::Nobody),
    ] {
        let tenant = Tenant::new(id.parse()?, name, vec![Mailbox::parse(mailbox)?]);
        match tenants::add(&app.ports, &app.keyring, COMMAND_LINE, &tenant, &trust).await {
            // Who was removed stays so.
            Ok(()) | Err(tenants::Error::Exists | tenants::Error::IdUsed) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// One after the other, so that the story reads in its order.
async fn take_in_samples(app: &Arc<App>, wakes: &Wakes, invocations: &mut UnboundedReceiver<Invocation>) -> Result<()> {
    let (mut new, mut kept, mut before, mut waiting, mut left_out) = (0, 0, 0, 0, 0);
    let show = |sample: &Sample, became: &str| say(&format!("  {:<34} {:<26} {became}", sample.file, sample.mailbox));
    for sample in sample::ALL {
        let fed = match inbox::feed(&app.ports, sample.mailbox, Bytes::from_static(sample.raw)).await {
            Ok(fed) => fed,
            Err(error) => {
                left_out += 1;
                show(sample, &format!("was not taken in: {error}"))?;
                continue;
            }
        };
        wakes.knock(inbox::QUEUE);
        let became = loop {
            match tokio::time::timeout(SAMPLE_WAIT, invocations.recv()).await {
                Ok(Some(invocation)) => match Became::of(&invocation) {
                    Some(became) if became.blob == fed => break became.outcome,
                    // Somebody else's, out of the inbox.
                    Some(became) => became.show()?,
                    None => {}
                },
                Ok(None) => anyhow::bail!("the embedded host ended by itself"),
                Err(_) => break STILL_WAITING.to_owned(),
            }
        };
        match became.as_str() {
            text if text.starts_with("seen before") => before += 1,
            text if text.starts_with("unprocessed") => kept += 1,
            text if text.starts_with(FAILED) || text == STILL_WAITING => waiting += 1,
            _ => new += 1,
        }
        show(sample, &became)?;
    }
    let some = |count: usize, what: &str| if count > 0 { format!(", {count} {what}") } else { String::new() };
    let (waiting, left_out) = (some(waiting, "not done yet"), some(left_out, "not taken in"));
    say(&format!(
        "{} sample mails: {} new ({new} in tickets, {kept} kept as unprocessed), {before} seen before{waiting}{left_out}\n",
        sample::ALL.len(),
        new + kept
    ))
}

/// A mail that went through the intake, and what became of it.
struct Became {
    blob: String,
    mailbox: String,
    outcome: String,
}

impl Became {
    /// None for what is no mail's.
    fn of(invocation: &Invocation) -> Option<Became> {
        #[derive(Default, Deserialize)]
        struct Message {
            blob: String,
            mailbox: String,
        }
        if ![INTAKE, INTAKE_POISON].contains(&invocation.function) {
            return None;
        }
        let Message { blob, mailbox } = invocation.message.as_deref().and_then(|message| serde_json::from_str(message).ok()).unwrap_or_default();
        let outcome = if invocation.succeeded {
            invocation.logs.first().cloned().unwrap_or_default()
        } else {
            let why = invocation.logs.first().or(invocation.because.as_ref()).map_or("no answer", String::as_str);
            let is_last = invocation.function == INTAKE && invocation.dequeue_count >= MAX_DEQUEUE_COUNT;
            let next = if is_last { "it is kept as unprocessed next" } else { "it is tried again" };
            format!("{FAILED}{}: {why}; {next}", invocation.dequeue_count)
        };
        Some(Became { blob, mailbox, outcome: printable(&outcome) })
    }

    fn show(&self) -> Result<()> {
        let blob = if self.blob.is_empty() { "a message" } else { &self.blob };
        say(&format!("  {:<34} {:<26} {}", short(blob), printable(&self.mailbox), self.outcome))
    }
}

/// A blob's name, cut to what a line has room for.
fn short(blob: &str) -> String {
    let mut text: String = printable(blob).chars().take(24).collect();
    if blob.chars().count() > 24 {
        text.push('…');
    }
    text
}
