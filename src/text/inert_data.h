/* Tables of text/inert.c; nobody else includes this. */
#ifndef TEXT_INERT_DATA_H
#define TEXT_INERT_DATA_H

#include "base/base.h"

struct inert_range {
    uint32_t from, to;
};

/* Characters without a shape: General Category Cf and Default_Ignorable_Code_Point of Unicode 15,
 * and the controls. Tab, line feed and the joiners U+200C and U+200D are judged apart. */
static const struct inert_range inert_invisible[] = {
    {0x00, 0x08},
    {0x0b, 0x1f},
    {0x7f, 0x9f},
    {0xad, 0xad},
    {0x34f, 0x34f},
    {0x600, 0x605},
    {0x61c, 0x61c},
    {0x6dd, 0x6dd},
    {0x70f, 0x70f},
    {0x8e2, 0x8e2},
    {0x115f, 0x1160},
    {0x17b4, 0x17b5},
    {0x180b, 0x180f},
    {0x200b, 0x200f},
    {0x202a, 0x202e},
    {0x2060, 0x206f},
    {0x2800, 0x2800},
    {0x3164, 0x3164},
    {0xfe00, 0xfe0f},
    {0xfeff, 0xfeff},
    {0xffa0, 0xffa0},
    {0xfff0, 0xfffb},
    {0x1bca0, 0x1bca3},
    {0x1d173, 0x1d17a},
    {0xe0000, 0xe0fff},
};

/* Letters that look like a Latin one in most fonts (Unicode TR 39, confusables.txt). */
static const struct inert_twin {
    uint16_t cp;
    char latin;
} inert_twins[] = {
    {0x391, 'A'},
    {0x392, 'B'},
    {0x395, 'E'},
    {0x396, 'Z'},
    {0x397, 'H'},
    {0x399, 'I'},
    {0x39a, 'K'},
    {0x39c, 'M'},
    {0x39d, 'N'},
    {0x39f, 'O'},
    {0x3a1, 'P'},
    {0x3a4, 'T'},
    {0x3a5, 'Y'},
    {0x3a7, 'X'},
    {0x3b1, 'a'},
    {0x3b9, 'i'},
    {0x3bd, 'v'},
    {0x3bf, 'o'},
    {0x3c1, 'p'},
    {0x3c5, 'u'},
    {0x405, 'S'},
    {0x406, 'I'},
    {0x408, 'J'},
    {0x410, 'A'},
    {0x412, 'B'},
    {0x415, 'E'},
    {0x41a, 'K'},
    {0x41c, 'M'},
    {0x41d, 'H'},
    {0x41e, 'O'},
    {0x420, 'P'},
    {0x421, 'C'},
    {0x422, 'T'},
    {0x425, 'X'},
    {0x430, 'a'},
    {0x435, 'e'},
    {0x43e, 'o'},
    {0x440, 'p'},
    {0x441, 'c'},
    {0x443, 'y'},
    {0x445, 'x'},
    {0x455, 's'},
    {0x456, 'i'},
    {0x458, 'j'},
    {0x4bb, 'h'},
    {0x501, 'd'},
    {0x51b, 'q'},
    {0x51d, 'w'},
};

/* Who a line may pose as. */
static const char *const inert_speakers[] = {
    "system", "assistant", "developer", "user", "human", "tool", "function"};

/* What an order to a model reads like. Lower case. */
static const char *const inert_phrases[] = {
    "ignore all previous",
    "ignore previous",
    "ignore the above",
    "ignore any previous",
    "ignore your instructions",
    "disregard previous",
    "disregard the above",
    "disregard all",
    "forget your instructions",
    "forget all previous",
    "new instructions:",
    "system prompt",
    "you are now",
    "do not tell the user",
    "don't tell the user",
    "without telling the user",
    "reveal your",
    "override your",
    "begin new task",
};

#endif
