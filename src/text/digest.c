#include "text/digest.h"
#include "text/words.h"
bool text_is_question(struct str text)
{
    return str_ends(str_trim(text), STR("?"));
}
