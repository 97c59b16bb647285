/* How the child that reads a file ends, besides 0. pdftotext's own codes lie below. */
#ifndef EXTRACT_CHILD_H
#define EXTRACT_CHILD_H

enum child_exit {
    CHILD_BROKEN = 41,     /* the file is damaged */
    CHILD_TOO_LARGE = 42,  /* it unpacks to too much */
    CHILD_NO_PROGRAM = 43, /* pdftotext is not installed */
    CHILD_NO_SANDBOX = 44, /* nothing was read */
    CHILD_WRONG_CALL = 45,
};

#endif
