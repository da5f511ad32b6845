//! `helpdesk token`: an access token of the local issuer.

use std::process::ExitCode;

use anyhow::Result;
use clap::builder::{PossibleValuesParser, TypedValueParser};

use super::{Data, FOLDER, complain, say};
use crate::{
    access::Role,
    config::Config,
    ids::TenantId,
    mail::address,
    tenants::{self, State},
    wiring,
};

/// Hours that a token is valid.
const HOURS_MAX: i64 = 24 * 7;

#[derive(clap::Args)]
#[command(
    mut_arg("data", |data| data.help(FOLDER)),
    after_help = "Example:\n  curl -H \"Authorization: Bearer $(helpdesk token --tenant contoso --role agent)\" http://127.0.0.1:7071/api/tickets"
)]
pub(super) struct Arguments {
    /// The tenant, as `helpdesk tenant list` names it; `vendor` for an operator
    #[arg(long)]
    tenant: TenantId,
    /// What the caller is
    #[arg(long, value_parser = role())]
    role: Role,
    /// The address of a requester, whose tickets he sees
    #[arg(long, value_parser = |text: &str| address::given(text).ok_or("is no address that mail goes to"))]
    address: Option<String>,
    /// Hours that it is valid
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(i64).range(1..=HOURS_MAX))]
    hours: i64,
    #[command(flatten)]
    data: Data,
}

/// As it is said at the command line.
fn spelt(role: Role) -> String {
    role.name().replace('_', "-")
}

fn role() -> impl TypedValueParser<Value = Role> {
    // In the order of their description, which goes from who asks for help to the vendor.
    let mut roles = Role::ALL;
    roles.sort_by_key(|role| *role as u8);
    PossibleValuesParser::new(roles.map(spelt)).map(|text| {
        // Unwrap safety: the parser takes only what `spelt` makes of one of these.
        Role::ALL.into_iter().find(|role| spelt(*role) == text).expect("one of all roles")
    })
}

pub(super) async fn run(arguments: Arguments, config: Config) -> Result<ExitCode> {
    let role = arguments.role;
    let (folder, is_entras) = (arguments.data.folder(&config), config.entra_application.is_some());
    let app = arguments.data.visit_folder(config).await?.app;
    let valid_for = time::Duration::hours(arguments.hours);
    let token = wiring::local_token(&folder, &arguments.tenant, role, arguments.address.as_deref(), valid_for).await?;
    if is_entras {
        complain("HELPDESK_ENTRA_APPLICATION is set: a help desk with this setting takes Entra's tokens, and this one opens nothing");
    }
    if role == Role::Requester && arguments.address.is_none() {
        complain("this requester has no address and so no tickets: add --address");
    }
    if role.is_of_the_vendor() {
        if arguments.tenant.as_str() != app.vendor {
            complain(&format!("this role is of the vendor, so this token opens nothing: use --tenant {}", app.vendor));
        }
    } else {
        match tenants::get(app.ports.documents.as_ref(), &app.keyring, &arguments.tenant).await? {
            Some((tenant, _)) if tenant.state == State::Active => {}
            Some((tenant, _)) => complain(&format!("{} is {}, so this token opens nothing while he is", arguments.tenant, tenant.state.name())),
            None => complain(&format!("there is no tenant {}, so this token opens nothing: `helpdesk tenant list` shows all", arguments.tenant)),
        }
    }
    say(&token)?;
    Ok(ExitCode::SUCCESS)
}
