/* SPDX-License-Identifier: BSD-2-Clause */
/* window.c: escape sequences that every terminal since the VT100 knows, and xterm's second screen. */
#include "ctl/window.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

enum { CTRL_C = 3, CTRL_D = 4 };

static const char BEGIN[] = "\033[?1049h\033[?25l", END[] = "\033[?25h\033[?1049l";

/* Signals have no argument: what the terminal was, and what has happened. */
static struct termios saved;
static volatile sig_atomic_t was_resized, must_end;

static int
size_of(int fd, bool is_height)
{
	struct winsize size;

	if (ioctl(fd, TIOCGWINSZ, &size) != 0 || size.ws_col == 0 || size.ws_row == 0)
		return is_height ? WINDOW_HEIGHT : WINDOW_WIDTH;
	return is_height ? size.ws_row : size.ws_col;
}

int
window_width(int fd)
{
	return size_of(fd, false);
}

int
window_height(int fd)
{
	return size_of(fd, true);
}

static void
on_signal(int number)
{
	if (number == SIGWINCH)
		was_resized = 1;
	else
		must_end = 1;
}

static void
print(struct slice text)
{
	while (text.len > 0) {
		ssize_t n = write(STDOUT_FILENO, text.data, text.len);

		if (n < 0 && errno != EINTR)
			return;
		text = slice_from(text, n > 0 ? (size_t)n : 0);
	}
}

bool
window_open(void)
{
	static const int signals[] = { SIGWINCH, SIGINT, SIGTERM, SIGHUP };
	struct sigaction action = { .sa_handler = on_signal };
	struct termios raw;

	if (tcgetattr(STDIN_FILENO, &saved) != 0)
		return false;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		sigaction(signals[i], &action, NULL);
	raw = saved;
	raw.c_lflag &= ~(tcflag_t)(ICANON | ECHO | ISIG);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &raw);
	print(slice_of(BEGIN));
	return true;
}

void
window_show(struct slice frame)
{
	struct buf out = { 0 };
	int height = window_height(STDOUT_FILENO);

	buf_append_text(&out, "\033[H");
	for (int row = 0; row < height && frame.len > 0; row++) {
		if (row > 0)
			buf_append_text(&out, "\r\n");
		buf_append_slice(&out, slice_take(&frame, '\n'));
		buf_append_text(&out, "\033[K");
	}
	buf_append_text(&out, "\033[J");
	print(buf_slice(&out));
	buf_clear(&out);
}

int
window_key(int ms)
{
	struct pollfd fd = { .fd = STDIN_FILENO, .events = POLLIN };
	int ready = poll(&fd, 1, ms);
	unsigned char key;

	if (must_end)
		return WINDOW_END;
	if (was_resized) {
		was_resized = 0;
		return WINDOW_RESIZED;
	}
	if (ready <= 0)
		return WINDOW_TIME;
	if (read(STDIN_FILENO, &key, 1) != 1 || key == CTRL_C || key == CTRL_D)
		return WINDOW_END;
	return key > WINDOW_END ? key : WINDOW_TIME;
}

void
window_close(void)
{
	print(slice_of(END));
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &saved);
}
