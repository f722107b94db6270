/* SPDX-License-Identifier: MIT */
#include <base/format.h>

#include <stdbool.h>
#include <stdint.h>

struct output {
    char *buffer;
    size_t size;
    size_t length; /* of the whole text; may exceed size */
    va_list arguments;
};

enum length { LENGTH_CHAR, LENGTH_SHORT, LENGTH_INT, LENGTH_LONG, LENGTH_LONG_LONG };

struct directive {
    bool left, zero, has_precision;
    size_t width, precision;
    enum length length;
    char conversion;
};

_Static_assert(sizeof(size_t) == sizeof(long) && sizeof(intmax_t) == sizeof(long),
               "z and j are read as l");

static void put(struct output *output, char character) {
    if (output->length < output->size) /* the last of these makes way for the end */
        output->buffer[output->length] = character;
    output->length++;
}

static void put_repeated(struct output *output, char character, size_t count) {
    while (count-- > 0)
        put(output, character);
}

static void put_bytes(struct output *output, const char *bytes, size_t count) {
    while (count-- > 0)
        put(output, *bytes++);
}

static size_t less(size_t from, size_t amount) {
    return from > amount ? from - amount : 0;
}

static void put_padded(struct output *output, const struct directive *directive, const char *bytes,
                       size_t count) {
    size_t padding = less(directive->width, count);
    if (!directive->left)
        put_repeated(output, ' ', padding);
    put_bytes(output, bytes, count);
    if (directive->left)
        put_repeated(output, ' ', padding);
}

/* Zero padding stands between the prefix and the digits; a precision asks for digits and wins. */
static void put_number(struct output *output, const struct directive *directive, uint64_t value,
                       unsigned base, const char *prefix) {
    char digits[20]; /* as many as 2^64 - 1 has in base 10 */
    const char *alphabet = directive->conversion == 'X' ? "0123456789ABCDEF" : "0123456789abcdef";
    size_t start = sizeof(digits);
    for (; value != 0; value /= base)
        digits[--start] = alphabet[value % base];
    size_t count = sizeof(digits) - start;

    size_t prefix_count = 0;
    while (prefix[prefix_count] != '\0')
        prefix_count++;

    size_t wanted = directive->has_precision ? directive->precision : 1;
    if (directive->zero && !directive->left && !directive->has_precision) {
        size_t room = less(directive->width, prefix_count);
        wanted = room > wanted ? room : wanted;
    }
    size_t zeros = less(wanted, count);
    size_t padding = less(directive->width, prefix_count + zeros + count);

    if (!directive->left)
        put_repeated(output, ' ', padding);
    put_bytes(output, prefix, prefix_count);
    put_repeated(output, '0', zeros);
    put_bytes(output, digits + start, count);
    if (directive->left)
        put_repeated(output, ' ', padding);
}

static void put_signed(struct output *output, const struct directive *directive) {
    int64_t value = 0;
    switch (directive->length) {
    case LENGTH_CHAR: value = (signed char)va_arg(output->arguments, int); break;
    case LENGTH_SHORT: value = (short)va_arg(output->arguments, int); break;
    case LENGTH_INT: value = va_arg(output->arguments, int); break;
    case LENGTH_LONG: value = va_arg(output->arguments, long); break;
    case LENGTH_LONG_LONG: value = va_arg(output->arguments, long long); break;
    }
    uint64_t magnitude = value < 0 ? 0 - (uint64_t)value : (uint64_t)value;
    put_number(output, directive, magnitude, 10, value < 0 ? "-" : "");
}

static void put_unsigned(struct output *output, const struct directive *directive, unsigned base) {
    uint64_t value = 0;
    switch (directive->length) {
    case LENGTH_CHAR: value = (unsigned char)va_arg(output->arguments, unsigned); break;
    case LENGTH_SHORT: value = (unsigned short)va_arg(output->arguments, unsigned); break;
    case LENGTH_INT: value = va_arg(output->arguments, unsigned); break;
    case LENGTH_LONG: value = va_arg(output->arguments, unsigned long); break;
    case LENGTH_LONG_LONG: value = va_arg(output->arguments, unsigned long long); break;
    }
    put_number(output, directive, value, base, "");
}

static void put_string(struct output *output, const struct directive *directive) {
    const char *string = va_arg(output->arguments, const char *);
    if (string == NULL)
        string = "(null)";
    /* With a precision the string need not be terminated. */
    size_t limit = directive->has_precision ? directive->precision : SIZE_MAX;
    size_t count = 0;
    while (count < limit && string[count] != '\0')
        count++;
    put_padded(output, directive, string, count);
}

/* Returns false, having read no argument, when there is no such conversion. */
static bool put_conversion(struct output *output, const struct directive *directive) {
    switch (directive->conversion) {
    case 'd':
    case 'i': put_signed(output, directive); return true;
    case 'u': put_unsigned(output, directive, 10); return true;
    case 'x':
    case 'X': put_unsigned(output, directive, 16); return true;
    case 's': put_string(output, directive); return true;
    case 'c': {
        char character = (char)va_arg(output->arguments, int);
        put_padded(output, directive, &character, 1);
        return true;
    }
    case 'p': {
        uintptr_t address = (uintptr_t)va_arg(output->arguments, void *);
        put_number(output, directive, address, 16, "0x");
        return true;
    }
    case '%': put(output, '%'); return true;
    default: return false;
    }
}

static const char *number_parse(const char *at, size_t *number) {
    *number = 0;
    for (; *at >= '0' && *at <= '9'; at++)
        *number = *number * 10 + (size_t)(*at - '0');
    return at;
}

static const char *width_parse(struct output *output, struct directive *directive, const char *at) {
    if (*at != '*')
        return number_parse(at, &directive->width);
    int width = va_arg(output->arguments, int);
    if (width < 0) {
        directive->left = true;
        directive->width = 0 - (size_t)width;
    } else {
        directive->width = (size_t)width;
    }
    return at + 1;
}

static const char *precision_parse(struct output *output, struct directive *directive,
                                   const char *at) {
    if (*at != '.')
        return at;
    at++;
    directive->has_precision = true;
    if (*at != '*')
        return number_parse(at, &directive->precision);
    int precision = va_arg(output->arguments, int);
    if (precision < 0)
        directive->has_precision = false;
    else
        directive->precision = (size_t)precision;
    return at + 1;
}

static const char *length_parse(struct directive *directive, const char *at) {
    directive->length = LENGTH_INT;
    switch (*at) {
    case 'h':
        directive->length = at[1] == 'h' ? LENGTH_CHAR : LENGTH_SHORT;
        return at[1] == 'h' ? at + 2 : at + 1;
    case 'l':
        directive->length = at[1] == 'l' ? LENGTH_LONG_LONG : LENGTH_LONG;
        return at[1] == 'l' ? at + 2 : at + 1;
    case 'z':
    case 'j': directive->length = LENGTH_LONG; return at + 1;
    default: return at;
    }
}

/* `at` is just after the percent sign; returns what follows the directive. */
static const char *directive_parse(struct output *output, struct directive *directive,
                                   const char *at) {
    *directive = (struct directive){0};
    for (;; at++) {
        if (*at == '-')
            directive->left = true;
        else if (*at == '0')
            directive->zero = true;
        else
            break;
    }
    at = width_parse(output, directive, at);
    at = precision_parse(output, directive, at);
    at = length_parse(directive, at);
    directive->conversion = *at;
    return *at != '\0' ? at + 1 : at;
}

static void put_pattern(struct output *output, const char *at) {
    while (*at != '\0') {
        if (*at != '%') {
            put(output, *at++);
            continue;
        }
        struct directive directive;
        const char *after = directive_parse(output, &directive, at + 1);
        if (!put_conversion(output, &directive)) {
            while (*at != '\0')
                put(output, *at++);
            return;
        }
        at = after;
    }
}

size_t format_list(char *buffer, size_t size, const char *pattern, va_list arguments) {
    struct output output = {.buffer = buffer, .size = size};
    va_copy(output.arguments, arguments);
    put_pattern(&output, pattern);
    va_end(output.arguments);
    if (size != 0)
        buffer[output.length < size ? output.length : size - 1] = '\0';
    return output.length;
}

size_t format(char *buffer, size_t size, const char *pattern, ...) {
    va_list arguments;
    va_start(arguments, pattern);
    size_t length = format_list(buffer, size, pattern, arguments);
    va_end(arguments);
    return length;
}
