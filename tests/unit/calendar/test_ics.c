#include "calendar/ics.h"
#include "fixture.h"

static struct calendar_event plain(void)
{
    return (struct calendar_event){
        .id = STR("01ARZ3NDEKTSV4RRFFQ69G5FAV"),
        .summary = STR("Pricing; part 1, the \\ \"plan\""),
        .description = STR("first\r\nsecond\nthird"),
        .location = STR(""),
        .start_ms = ms_of("2026-03-03T14:00:00Z"),
        .end_ms = ms_of("2026-03-03T14:30:00Z"),
        .time_zone = STR("Europe/Madrid"),
        .conference_url = STR(""),
        .state = STR("confirmed"),
        .sequence = 2,
        .created_ms = ms_of("2026-03-01T00:00:00Z"),
        .updated_ms = ms_of("2026-03-02T00:00:00Z"),
    };
}

static struct str ics_of(struct test *t, const struct calendar_event *event, const char *method)
{
    struct buf out = BUF_IN(t->arena);

    ics_write(&out, event, 1, method, ms_of("2026-03-02T09:00:00Z"));
    return buf_str(&out);
}

TEST(ics_write_exactly)
{
    struct calendar_event event = plain();

    EXPECT_STR(ics_of(t, &event, NULL),
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:-//Theo//Theo 1//EN\r\nCALSCALE:GREGORIAN\r\n"
        "BEGIN:VEVENT\r\nUID:01ARZ3NDEKTSV4RRFFQ69G5FAV@theo\r\nDTSTAMP:20260302T090000Z\r\n"
        "CREATED:20260301T000000Z\r\nLAST-MODIFIED:20260302T000000Z\r\n"
        "DTSTART:20260303T140000Z\r\nDTEND:20260303T143000Z\r\nSEQUENCE:2\r\n"
        "STATUS:CONFIRMED\r\nSUMMARY:Pricing\\; part 1\\, the \\\\ \"plan\"\r\n"
        "DESCRIPTION:first\\nsecond\\nthird\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n");
}

TEST(ics_write_invites)
{
    struct attendee people[] = {
        {STR("ana@x.org"), STR("Ana \"A\": B")}, {STR("ben@x.org"), STR("")}, {STR(""), STR("Cy")}};
    struct calendar_event event = plain();
    struct str text, unfolded;
    struct buf out = BUF_IN(t->arena);

    event.attendees = people;
    event.attendee_count = 3;
    event.state = STR("cancelled");
    text = ics_of(t, &event, "CANCEL");
    for (size_t i = 0; i < text.len; i++) {
        if (i + 2 < text.len && memcmp(text.ptr + i, "\r\n ", 3) == 0)
            i += 2;
        else
            buf_add_char(&out, text.ptr[i]);
    }
    unfolded = buf_str(&out);
    EXPECT(str_find(unfolded, STR("\r\nMETHOD:CANCEL\r\n"), 0) > 0);
    EXPECT(str_find(unfolded, STR("\r\nSTATUS:CANCELLED\r\n"), 0) > 0);
    EXPECT(str_find(unfolded, STR("\r\nORGANIZER;CN=Theo:mailto:"), 0) > 0);
    EXPECT(str_find(unfolded,
               STR("\r\nATTENDEE;CN=\"Ana 'A': B\";ROLE=REQ-PARTICIPANT;PARTSTAT=NEEDS-ACTION;"
                   "RSVP=TRUE:mailto:ana@x.org\r\n"),
               0) > 0);
    EXPECT(str_find(unfolded, STR("RSVP=TRUE:invalid:nomail\r\n"), 0) > 0);
}

TEST(ics_write_folds_between_characters)
{
    struct calendar_event event = plain();
    struct buf summary = BUF_IN(t->arena);
    struct str text, rest, line;
    size_t longest = 0;

    for (int i = 0; i < 100; i++)
        buf_add_cstr(&summary, i % 3 ? "é" : "日");
    event.summary = buf_str(&summary);
    text = ics_of(t, &event, NULL);
    EXPECT(utf8_valid(text));
    rest = text;
    while (str_next(&rest, '\n', &line)) {
        EXPECT(str_empty(line) || line.ptr[line.len - 1] == '\r');
        EXPECT(utf8_valid(line));
        longest = MAX(longest, line.len - !str_empty(line));
    }
    EXPECT(longest <= 75);
    EXPECT(longest >= 73);
}

TEST(ics_write_lets_nothing_break_out_of_a_line)
{
    struct calendar_event event = plain();

    event.summary = STR("x\r\nATTENDEE:mailto:evil@x.org");
    event.conference_url = STR("https://x/\r\nATTENDEE:mailto:evil@x.org");
    EXPECT(str_find(ics_of(t, &event, NULL), STR("\r\nATTENDEE"), 0) < 0);
}
