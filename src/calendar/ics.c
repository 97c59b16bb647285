#include "calendar/ics.h"

#define LINE_MAX_OCTETS 75
/* Organiser of what nobody's own mailbox sends; .invalid is reserved by RFC 2606. */
#define ORGANIZER "ORGANIZER;CN=Theo:mailto:calendar@theo.invalid"

/* One content line, folded at 75 octets, never inside a UTF-8 sequence (RFC 5545, 3.1). */
static void put_line(struct buf *out, struct str line)
{
    size_t room = LINE_MAX_OCTETS;

    while (line.len > room) {
        size_t take = room;

        while (take > 0 && ((unsigned char)line.ptr[take] & 0xc0) == 0x80)
            take--;
        if (take == 0) /* not UTF-8 at all */
            take = room;
        buf_add(out, line.ptr, take);
        buf_add_cstr(out, "\r\n ");
        line = str_slice(line, take, line.len);
        room = LINE_MAX_OCTETS - 1; /* the space counts */
    }
    buf_add_str(out, line);
    buf_add_cstr(out, "\r\n");
}

static void put_cstr(struct buf *out, const char *line)
{
    put_line(out, str_from(line));
}

/* TEXT (3.3.11): backslash, semicolon, comma and line ends are escaped, other control characters
 * are not allowed. */
static void add_text(struct buf *line, struct str text)
{
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '\\' || c == ';' || c == ',') {
            buf_add_char(line, '\\');
            buf_add_char(line, c);
        } else if (c == '\n' || (c == '\r' && (i + 1 == text.len || text.ptr[i + 1] != '\n'))) {
            buf_add_cstr(line, "\\n");
        } else if (c == '\t' || ((unsigned char)c >= 0x20 && c != 0x7f)) {
            buf_add_char(line, c);
        }
    }
}

static void put_text(struct buf *out, const char *name, struct str text)
{
    struct buf line = BUF_HEAP;

    if (str_empty(text))
        return;
    buf_add_cstr(&line, name);
    buf_add_char(&line, ':');
    add_text(&line, text);
    put_line(out, buf_str(&line));
    buf_deinit(&line);
}

static void put_time(struct buf *out, const char *name, int64_t ms)
{
    struct civil c = civil_from_s(ms / 1000);
    char line[64];

    snprintf(line, sizeof(line), "%s:%04d%02d%02dT%02d%02d%02dZ", name, c.year, c.month, c.day,
        c.hour, c.minute, c.second);
    put_cstr(out, line);
}

static void put_number(struct buf *out, const char *name, int64_t value)
{
    char line[64];

    snprintf(line, sizeof(line), "%s:%lld", name, (long long)value);
    put_cstr(out, line);
}

/* A parameter's value in quotes: a quote cannot stand in it, nor a control character (3.2). */
static void add_param(struct buf *line, struct str value)
{
    buf_add_char(line, '"');
    for (size_t i = 0; i < value.len; i++) {
        char c = value.ptr[i];

        if (c == '"')
            buf_add_char(line, '\'');
        else if ((unsigned char)c >= 0x20 && c != 0x7f)
            buf_add_char(line, c);
    }
    buf_add_char(line, '"');
}

/* The value must be a URI. Somebody without an address gets the one that calendars use for that. */
static void put_attendee(struct buf *out, const struct attendee *attendee)
{
    struct buf line = BUF_HEAP;

    buf_add_cstr(&line, "ATTENDEE");
    if (!str_empty(attendee->name)) {
        buf_add_cstr(&line, ";CN=");
        add_param(&line, attendee->name);
    }
    buf_add_cstr(&line, ";ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;RSVP=TRUE:");
    if (str_empty(attendee->email)) {
        buf_add_cstr(&line, "invalid:nomail");
    } else {
        buf_add_cstr(&line, "mailto:");
        buf_add_str(&line, attendee->email);
    }
    put_line(out, buf_str(&line));
    buf_deinit(&line);
}

static void put_uid(struct buf *out, struct str id)
{
    struct buf line = BUF_HEAP;

    buf_printf(&line, "UID:%.*s@theo", STR_ARG(id));
    put_line(out, buf_str(&line));
    buf_deinit(&line);
}

/* A URI is not TEXT: nothing is escaped, and what could end the line is left out. */
static void put_url(struct buf *out, struct str url)
{
    struct buf line = BUF_HEAP;

    if (str_empty(url))
        return;
    buf_add_cstr(&line, "URL:");
    for (size_t i = 0; i < url.len; i++)
        if ((unsigned char)url.ptr[i] > ' ')
            buf_add_char(&line, url.ptr[i]);
    put_line(out, buf_str(&line));
    buf_deinit(&line);
}

static void put_event(
    struct buf *out, const struct calendar_event *event, bool method, int64_t now_ms)
{
    put_cstr(out, "BEGIN:VEVENT");
    put_uid(out, event->id);
    put_time(out, "DTSTAMP", now_ms);
    put_time(out, "CREATED", event->created_ms);
    put_time(out, "LAST-MODIFIED", event->updated_ms);
    put_time(out, "DTSTART", event->start_ms);
    put_time(out, "DTEND", event->end_ms);
    put_number(out, "SEQUENCE", event->sequence);
    put_cstr(out, str_is(event->state, "cancelled") ? "STATUS:CANCELLED" : "STATUS:CONFIRMED");
    put_text(out, "SUMMARY", event->summary);
    put_text(out, "DESCRIPTION", event->description);
    put_text(out, "LOCATION", event->location);
    put_url(out, event->conference_url);
    /* Required by iTIP (RFC 5546), and where there are attendees. */
    if (method || event->attendee_count > 0)
        put_cstr(out, ORGANIZER);
    for (size_t i = 0; i < event->attendee_count; i++)
        put_attendee(out, &event->attendees[i]);
    put_cstr(out, "END:VEVENT");
}

void ics_write(struct buf *out, const struct calendar_event *events, size_t count,
    const char *method, int64_t now_ms)
{
    char line[64];

    put_cstr(out, "BEGIN:VCALENDAR");
    put_cstr(out, "VERSION:2.0");
    put_cstr(out, "PRODID:-//Theo//Theo 1//EN");
    put_cstr(out, "CALSCALE:GREGORIAN");
    if (method) {
        snprintf(line, sizeof(line), "METHOD:%s", method);
        put_cstr(out, line);
    }
    for (size_t i = 0; i < count; i++)
        put_event(out, &events[i], method != NULL, now_ms);
    put_cstr(out, "END:VCALENDAR");
}
