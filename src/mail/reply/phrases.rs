//! What mail programs write around quoted mail, in the languages they are sold in. All in lower case, parted by bars.

use std::sync::LazyLock;

/// What a line of a quoted mail's header is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Label {
    From,
    Date,
    To,
    Subject,
    /// Cc, Reply-To, importance and the like: part of a header, no proof of one.
    Other,
}

/// Each label with its words.
pub static LABELS: LazyLock<[(Label, Vec<&str>); 5]> = LazyLock::new(|| {
    [
        (Label::From, phrases(FROM)),
        (Label::Date, phrases(DATE)),
        (Label::To, phrases(TO)),
        (Label::Subject, phrases(SUBJECT)),
        (Label::Other, phrases(OTHER)),
    ]
});

const FROM: &str = "
    from | von | de | da | van | fra | från | od | ot | lähettäjä | feladó | de la | expéditeur | expediteur | mittente | remitente |
    remetente | afzender | absender | nadawca | odesílatel | odosielateľ | afsender | avsender | avsändare | от | от кого | відправник | від |
    від кого | отправитель | подател | од | шаље | από | kimden | gönderen | מאת | من | از | 差出人 | 送信元 | 送信者 | 发件人 | 寄件者 | 寄件人 | 發件人 | 보낸 사람 |
    보낸사람 | 발신 | từ | người gửi | dari | daripada | pengirim | saatja | kellelt | pošiljatelj | pošiljalac | pošilja | prima od | nuo | no | 보낸이 |
    siuntėjas | sūtītājs | sendandi | frá | จาก | प्रेषक | nga | mula kay | remitent | nork | expeditor";

const DATE: &str = "
    date | sent | gesendet am | verzonden om | sendt kl | sent at | date sent | sent on | gesendet | datum | envoyé | envoyé le | envoye |
    date d'envoi | enviado | enviado el | enviado em | enviada | enviada em | enviada a | fecha | fecha de envío | data | data de envio |
    inviato | inviato il | inviata | data invio | verzonden | verzonden op | sendt | dato | sendt den | skickat | skickades | skickad |
    lähetetty | lähetysaika | päivämäärä | päiväys | pvm | wysłano | wysłany | wysłane | data wysłania | odesláno | odeslané | odoslané |
    dátum | elküldve | küldve | küldés ideje | trimis | trimis la | trimisă | дата | отправлено | отправлен | дата отправки | надіслано |
    відправлено | изпратено | послато | датум | ημερομηνία | στάλθηκε | εστάλη | gönderildi | gönderme tarihi | gönderim tarihi | tarih |
    נשלח | תאריך | تاريخ الإرسال | التاريخ | تم الإرسال | أرسلت | تاریخ | 送信日時 | 日付 | 日時 | 送信日 | 发送时间 | 发送日期 | 日期 | 时间 | 時間 | 寄件日期 | 傳送時間 |
    傳送日期 | 发件时间 | 보낸 날짜 | 보낸날짜 | 보낸 시간 | 날짜 | 발송 | đã gửi | ngày | ngày gửi | gửi | dikirim | terkirim | tanggal | dihantar | tarikh |
    enviat | enviat el | enviats | saadetud | kuupäev | saatmisaeg | poslano | poslato | poslané | datums | nosūtīts | išsiųsta | išsiųstas |
    dags | dagsetning | sent þann | ส่งเมื่อ | วันที่ | ส่ง | दिनांक | bidalia | odoslaný | odoslaná";

const TO: &str = "
    to | an | à | a | para | pour | per | aan | til | till | vastaanottaja | kenelle | címzett | címzettek | către | catre | do | komu | pro |
    za | кому | кому: | до | для | получатель | одержувач | за | коме | прима | προς | kime | alıcı | אל | إلى | الى | به | 宛先 | 收件人 | 收件者 |
    받는 사람 | 받는사람 | 받는이 | 수신 | đến | tới | người nhận | kepada | ke | untuk | per a | saaja | kellele | adressaat | prima | kam | kam: | adresāts |
    kam skirta | gavėjas | viðtakandi | ถึง | प्रति | destinataire | destinatario | destinatário | destinatari | empfänger | ontvanger |
    modtager | mottaker | mottagare | adresát | odbiorca";

const SUBJECT: &str = "
    subject | betreff | objet | sujet | asunto | assunto | oggetto | onderwerp | emne | ämne | aihe | otsikko | temat | předmět | predmet |
    věc | vec | tárgy | subiect | тема | предмет | относно | наслов | θέμα | konu | נושא | الموضوع | موضوع | 件名 | 主题 | 主題 | 主旨 | 标题 | 제목 |
    chủ đề | tiêu đề | subjek | perihal | subyek | assumpte | tema | teema | pealkiri | naslov | zadeva | temats | tēma | efni | เรื่อง | विषय |
    betrifft | gaia | paksa";

const OTHER: &str = "
    cc | bcc | kopie | kopi | kopia | kopio | copie à | copie | cópia | copia | kopija | másolatot kap | másolat | dw | udw | копия | копія |
    копие | κοιν | κοινοποίηση | bilgi | עותק | نسخة | 抄送 | 副本 | 参照 | 참조 | đồng gửi | tembusan | reply-to | reply to | antwort an |
    antworten an | répondre à | responder a | rispondi a | antwoord aan | svar til | svara till | vastausosoite | organization |
    organisation | importance | wichtigkeit | importancia | importância | priorità | prioriteit | viktighet | priority | priorität |
    attachments | attachment | anlagen | anhänge | pièces jointes | datos adjuntos | anexos | allegati | bijlagen | vedhæftede filer |
    bilagor | vedlegg | liitteet | załączniki | přílohy | вложения | вкладення | 添付ファイル | 附件 | 첨부 | when | where | wann | wo | quand | où |
    cuándo | dónde | mailed by | signed by | newsgroups | message-id | x-mailer | required attendees | optional attendees | category |
    categories | kategorien | re | sensitivity | resent-from | resent-to | via";

/// "Wrote", as attribution lines have it.
pub static WROTE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        wrote | writes | schrieb | schreibt | geschrieben | a écrit | écrit | a ecrit | escribió | escribio | escribe | ha escrito | ha scritto |
        scrive | scritto | escreveu | escreve | schreef | geschreven | skrev | skrifaði | skriver | kirjoitti | kirjutas | rakstīja | rašė |
        napisał | napisała | napisał(a) | pisze | napsal | napsala | napsal(a) | napísal | napísala | napísal(a) | odesílatel | napisao |
        napisao je | napisala je | napisala | napisal | je napisao | írta | ezt írta | a scris | scris | пишет | написал | написала | написал(а) |
        писал | писал(а) | пише | написав | написав(ла) | написа | написао | је написао | напісаў | έγραψε | yazdı | yazmış | כתב | כתבה | כתב/ה |
        מאת | كتب | كتبت | نوشت | 写道 | 寫道 | 写到 | 書きました | さんは書きました | のメール | のメッセージ | 작성 | 썼습니다 | 님의 말 | đã viết | viết | menulis | va escriure |
        ha escrit | escribiu | idatzi du | เขียนว่า | ने लिखा | shkroi | sumulat | geskryf | quoting | zitat von | citando | citation de |
        citerar | citeren | cytowanie | cituji | idézet | цитирую | цитирование | excerpts from | said | quoth",
    )
});

/// Where the verb stands before the name, so that a name may follow it.
pub static NAME_FOLLOWS: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        schrieb | schreef | skrev | kirjoitti | quoting | zitat von | citando | citation de | citerar | a écrit | escribió | escreveu |
        ha scritto | писал | написал | napisał | napsal | מאת | odesílatel",
    )
});

/// Words before the date in attribution lines.
pub static BEFORE_DATE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        on | am | le | el | il | em | op | den | dne | dňa | dnia | w | v | u | у | в | на | at | à | a | al | vào | pada | στις | la | în | in |
        dana | dne: | på | kl | kl. | em: | ma | në | fl | os | בתאריך | ב | في | در | 在 | 於 | 于 | เมื่อ",
    )
});

/// Names of the mail that follows, between dashes or alone.
pub static ORIGINAL: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        original message | original mail | original email | original e-mail | original | reply message | original appointment |
        originalnachricht | ursprüngliche nachricht | ursprüngliche mail | ursprüngliche e-mail | originalmail | original-nachricht |
        antwortnachricht | message d'origine | message d’origine | message original | message initial | message de réponse | courriel original |
        courrier original | mensaje original | mensaje de respuesta | mensaje orixinal | messaggio originale | messaggio di risposta |
        mensagem original | mensagem de resposta | e-mail original | oorspronkelijk bericht | origineel bericht | oorspronkelijke bericht |
        original besked | oprindelig meddelelse | oprindelig besked | oprindelig mail | opprinnelig melding | original melding |
        opprinnelig e-post | opprinnelig beskjed | ursprungligt meddelande | originalmeddelande | ursprungligt mail | alkuperäinen viesti |
        oryginalna wiadomość | wiadomość oryginalna | oryginał wiadomości | wiadomość pierwotna | původní zpráva | původní e-mail |
        pôvodná správa | pôvodný e-mail | eredeti üzenet | eredeti levél | mesaj original | mesajul original | mesaj inițial |
        исходное сообщение | пересылаемое исходное сообщение | оригинальное сообщение | исходное письмо | первоначальное сообщение |
        оригінальне повідомлення | вихідне повідомлення | початкове повідомлення | оригинално съобщение | първоначално съобщение |
        оригинална порука | изворна порука | αρχικό μήνυμα | πρωτότυπο μήνυμα | orijinal mesaj | özgün ileti | asıl ileti | orijinal ileti |
        הודעה מקורית | ההודעה המקורית | الرسالة الأصلية | رسالة أصلية | پیام اصلی | 元のメッセージ | 元のメール | オリジナルメッセージ | 原始邮件 | 原始郵件 | 原始信件 | 原始訊息 |
        原邮件 | 原始消息 | 邮件原件 | 원본 메시지 | 원본 메일 | 원본 이메일 | 원본 | thư gốc | tin nhắn gốc | thông điệp gốc | pesan asli | mesej asal | missatge original |
        algne kiri | algsõnum | algne sõnum | izvorna poruka | originalna poruka | originalno sporočilo | izvirno sporočilo |
        sākotnējais ziņojums | oriģinālais ziņojums | pradinis laiškas | originalus laiškas | upprunaleg skilaboð | ข้อความต้นฉบับ |
        mesazhi origjinal | jatorrizko mezua | quoted message | quoted text | replied message | 回复的原邮件 | 받은 메일 내용",
    )
});

/// Names of a mail that was passed on, between dashes or alone with a colon.
pub static FORWARDED: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        forwarded message | begin forwarded message | forwarded mail | forwarded email | forwarded by | start of forwarded message |
        weitergeleitete nachricht | anfang der weitergeleiteten nachricht | anfang der weitergeleiteten e-mail | weitergeleitete mail |
        weitergeleitete e-mail | weitergeleitet von | message transféré | message transmis | début du message réexpédié |
        début du message transféré | courriel transféré | mensaje reenviado | inicio del mensaje reenviado | messaggio inoltrato |
        inizio messaggio inoltrato | mensagem encaminhada | mensagem reencaminhada | início da mensagem encaminhada |
        início da mensagem reencaminhada | doorgestuurd bericht | begin doorgestuurd bericht | videresendt meddelelse | videresendt besked |
        start på videresendt besked | begynnelse på videresendt melding | videresendt melding | videresendt e-post |
        start på videresendt melding | vidarebefordrat meddelande | vidarebefordrat brev | börja vidarebefordrat meddelande | välitetty viesti |
        edelleenlähetetty viesti | välitetyn viestin alku | wiadomość przekazana dalej | przekazana wiadomość | wiadomość przekazana |
        początek przekazywanej wiadomości | přeposlaná zpráva | začátek přeposílané zprávy | preposlaná správa | začiatok preposlanej správy |
        továbbított üzenet | továbbított levél kezdete | mesaj redirecționat | mesaj transmis | începutul mesajului redirecționat |
        пересылаемое сообщение | пересланное сообщение | начало переадресованного сообщения | начало пересылаемого сообщения |
        пересылаемое письмо | переслане повідомлення | початок листа, що пересилається | препратено съобщение | начало на препратеното съобщение |
        прослеђена порука | προωθημένο μήνυμα | έναρξη προωθημένου μηνύματος | iletilen mesaj | yönlendirilmiş mesaj | iletilen ileti |
        başlangıç yönlendirilmiş mesaj | הודעה שהועברה | תחילת ההודעה שהועברה | رسالة معاد توجيهها | الرسالة المعاد توجيهها |
        بدء الرسالة المعاد توجيهها | پیام بازارسالی | 転送メッセージ | 転送されたメッセージ | 転送メール | 转发的邮件 | 转发邮件 | 轉寄的郵件 | 轉寄郵件 | 已转发的邮件 | 开始转发的邮件 | 開始轉寄郵件 |
        转发邮件信息 | 전달된 메시지 | 전달된 메일 | 전달된 메시지 시작 | thư được chuyển tiếp | thư đã chuyển tiếp | bắt đầu thư được chuyển tiếp | pesan terusan |
        pesan yang diteruskan | mula pesan yang diteruskan | missatge reenviat | inici del missatge reenviat | edastatud kiri | edastatud sõnum |
        proslijeđena poruka | prosleđena poruka | početak proslijeđene poruke | posredovano sporočilo | pārsūtītais ziņojums |
        persiųstas laiškas | áframsend skilaboð | ข้อความที่ส่งต่อ | mensaxe reenviada",
    )
});

/// Prefixes of the subjects of mails that were passed on, without their colon.
pub static FORWARD_PREFIXES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        fw | fwd | wg | wtr | weitergeleitet | tr | trans | rv | rif | enc | encam | i | inoltra | doorst | vb | vl | vs | vid | pd |
        podaj dalej | továbbítás | továbbítva | tov | redirecționat | пересл | пересылка | переслано | нап | препр | прв | πρθ | προωθ | ilt |
        i̇lt | העברה | הועבר | إعادة توجيه | 转发 | 转 | 轉寄 | 轉 | 転送 | 전달 | chuyển tiếp | teruskan | trs | rvd | fs | áfram | edasi | proslijeđeno |
        posr | přep | prepos | fr | reenv",
    )
});

/// Prefixes of the subjects of answers, without their colon.
pub static REPLY_PREFIXES: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        re | aw | antw | sv | rép | rep | res | r | ynt | yn | odp | vá | отв | на | απ | σχετ | השב | تعليق | رد | 回复 | 回覆 | 答复 | 返信 | 답장 | 회신 |
        trả lời | bls | balas | atb | ats | vast | vs | ref | rif",
    )
});

/// What help desks write above their mails, so that an answer is found above it.
pub static REPLY_ABOVE: LazyLock<Vec<&str>> = LazyLock::new(|| {
    phrases(
        "
        reply above this line | reply above the line | type your reply above | write your reply above | enter your reply above |
        respond above this line | please reply above | add your reply above | answer above this line | write above this line |
        oberhalb dieser zeile | über dieser zeile | au-dessus de cette ligne | au dessus de cette ligne | por encima de esta línea |
        encima de esta línea | sobre esta línea | acima desta linha | sopra questa riga | al di sopra di questa riga | boven deze regel |
        boven deze lijn | over denne linje | over denne linjen | ovanför denna rad | ovanför den här raden | tämän rivin yläpuolelle |
        powyżej tej linii | powyżej tego wiersza | nad tento řádek | nad tímto řádkem | nad tento riadok | nad týmto riadkom | e sor fölé |
        a sor fölé | deasupra acestei linii | выше этой строки | выше этой линии | вище цього рядка | вище цієї лінії | над този ред |
        над ове линије | πάνω από αυτή τη γραμμή | πάνω από αυτήν τη γραμμή | bu satırın üstüne | bu çizginin üzerine | bu satırın üzerine |
        מעל שורה זו | מעל לשורה זו | فوق هذا السطر | この行より上に | この線より上に | 在此行上方 | 在此线上方 | 在此行之上 | 在這行上方 | 이 줄 위에 | 이 선 위에 | phía trên dòng này |
        di atas baris ini | sobre aquesta línia | iznad ove linije | iznad ovog retka | nad to vrstico | selle rea kohale",
    )
});

pub(super) fn phrases(parted: &'static str) -> Vec<&'static str> {
    parted.split('|').map(str::trim).collect()
}
