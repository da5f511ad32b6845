//! The sample mails of `helpdesk dev --sample`: what two demo tenants receive in a week, and what is no use to them. `README.md` says what each one shows.

/// A mail as it arrives.
#[derive(Debug, Clone, Copy)]
pub struct Sample {
    /// The name of its file in this folder.
    pub file: &'static str,
    /// The mailbox that receives it. Tenant `contoso` has `help@contoso.example`, tenant `fabrikam` has `support@fabrikam.example`; one mailbox is nobody's.
    pub mailbox: &'static str,
    pub raw: &'static [u8],
}

/// In the order of arrival: a reply comes after the mail that it answers.
pub const ALL: &[Sample] = &[
    Sample { file: "01-first-mail.eml", mailbox: "help@contoso.example", raw: include_bytes!("01-first-mail.eml") },
    Sample { file: "02-reply-in-thread.eml", mailbox: "help@contoso.example", raw: include_bytes!("02-reply-in-thread.eml") },
    Sample { file: "03-third-in-thread.eml", mailbox: "help@contoso.example", raw: include_bytes!("03-third-in-thread.eml") },
    Sample { file: "04-outlook-html-inline-image.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("04-outlook-html-inline-image.eml") },
    Sample { file: "05-pdf-and-png-attached.eml", mailbox: "help@contoso.example", raw: include_bytes!("05-pdf-and-png-attached.eml") },
    Sample { file: "06-japanese-iso-2022-jp.eml", mailbox: "help@contoso.example", raw: include_bytes!("06-japanese-iso-2022-jp.eml") },
    Sample { file: "07-cyrillic-windows-1251.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("07-cyrillic-windows-1251.eml") },
    Sample { file: "08-latin-1-without-label.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("08-latin-1-without-label.eml") },
    Sample { file: "09-winmail-dat.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("09-winmail-dat.eml") },
    Sample { file: "10-calendar-reply.eml", mailbox: "help@contoso.example", raw: include_bytes!("10-calendar-reply.eml") },
    Sample { file: "11-out-of-office.eml", mailbox: "help@contoso.example", raw: include_bytes!("11-out-of-office.eml") },
    Sample { file: "12-bounce.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("12-bounce.eml") },
    Sample { file: "13-card-number.eml", mailbox: "help@contoso.example", raw: include_bytes!("13-card-number.eml") },
    Sample { file: "14-newsletter.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("14-newsletter.eml") },
    Sample { file: "15-garbage.eml", mailbox: "help@contoso.example", raw: include_bytes!("15-garbage.eml") },
    Sample { file: "16-script-in-html.eml", mailbox: "help@contoso.example", raw: include_bytes!("16-script-in-html.eml") },
    Sample { file: "17-same-message-id-contoso.eml", mailbox: "help@contoso.example", raw: include_bytes!("17-same-message-id-contoso.eml") },
    Sample { file: "18-same-message-id-fabrikam.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("18-same-message-id-fabrikam.eml") },
    Sample { file: "19-unknown-mailbox.eml", mailbox: "hepl@contoso.example", raw: include_bytes!("19-unknown-mailbox.eml") },
    Sample { file: "20-forwarded-as-attachment.eml", mailbox: "support@fabrikam.example", raw: include_bytes!("20-forwarded-as-attachment.eml") },
];
