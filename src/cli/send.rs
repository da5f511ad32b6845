//! `helpdesk send`: mails by hand, through the inbox folder that `helpdesk dev` watches.

use std::{
    fs,
    io::{self, Write},
    path::{Path, PathBuf},
    process::ExitCode,
};

use anyhow::{Context, Result, ensure};

use super::{Data, FOLDER, counted, create_folder, inbox, read, say};
use crate::{config::Config, devhost::inbox::SENDING, tenants::Mailbox, tickets::intake::MAIL_BYTES_MAX, wiring};

#[derive(clap::Args)]
#[command(
    mut_arg("data", |data| data.help(FOLDER)),
    after_help = "Example:\n  helpdesk send question.eml --mailbox help@contoso.example\n  cat question.eml | helpdesk send - --mailbox help@contoso.example"
)]
pub(super) struct Arguments {
    /// Mails as files (RFC 5322); `-` is standard input
    #[arg(required = true)]
    files: Vec<PathBuf>,
    /// The mailbox that they arrive in
    #[arg(long, value_parser = Mailbox::parse)]
    mailbox: Mailbox,
    #[command(flatten)]
    data: Data,
}

/// Leaves each mail where the host finds it, also if it runs only later.
pub(super) fn run(arguments: &Arguments, config: &Config) -> Result<ExitCode> {
    let mailbox = &arguments.mailbox;
    let folder = arguments.data.folder(config);
    wiring::stands(&folder)?;
    let inbox = inbox(&folder, mailbox);
    create_folder(&inbox)?;
    for file in &arguments.files {
        let bytes = read(file, MAIL_BYTES_MAX).with_context(|| format!("{} cannot be read", file.display()))?;
        ensure!(bytes.len() as u64 <= MAIL_BYTES_MAX, "{} has over {MAIL_BYTES_MAX} bytes, the limit of a mail", file.display());
        leave(&inbox, &bytes).with_context(|| format!("{} cannot be written to", inbox.display()))?;
    }
    let (mails, them) = (counted(arguments.files.len(), "mail"), if arguments.files.len() == 1 { "it" } else { "them" });
    say(&format!("{mails} left for {}; `helpdesk dev` takes {them} in", mailbox.as_str()))?;
    Ok(ExitCode::SUCCESS)
}

/// Written under a hidden name, then renamed: the host never sees half a mail. The name is nobody else's, so no waiting mail is replaced.
fn leave(inbox: &Path, bytes: &[u8]) -> io::Result<()> {
    let name = wiring::unique_name();
    let hidden = inbox.join(format!("{SENDING}{name}"));
    let mut options = fs::File::options();
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let mut file = options.write(true).create_new(true).open(&hidden)?;
    let written = file.write_all(bytes).and_then(|()| file.sync_all()).and_then(|()| fs::rename(&hidden, inbox.join(format!("{name}.eml"))));
    if written.is_err() {
        // Nobody would look at half a mail again.
        let _ = fs::remove_file(&hidden);
    }
    written?;
    fs::File::open(inbox)?.sync_all()
}
