/*
 * The probe of smoke tests: it holds the network that the containers of a test share, and carries bytes between
 * elkbake, which speaks to it on its standard input and output, and that network. It knows no protocol of its own, needs no
 * library, and is the only file of its image, so that it runs beside an image that has not even a shell, and on an
 * engine on another machine.
 *
 * A message begins with its kind and the length of what follows, 4 bytes, the lowest first.
 *
 *   to it    C  an address (4 bytes) and a port (2), as the network has them, and what to send there; answered by an A
 *            R  the answer to the last Q
 *   from it  A  what came back until the other end closed; its first byte is 1 where it connected, else 0
 *            Q  what somebody in the network asks the made-up services of ECS
 *
 * src/bake/smoke/probe/ holds it as it was compiled: `make probe` does that again.
 */

#if defined(__x86_64__)
enum { READ = 0, WRITE = 1, CLOSE = 3, SOCKET = 41, CONNECT = 42, ACCEPT4 = 288, BIND = 49, LISTEN = 50,
       SETSOCKOPT = 54, EXIT = 231, PPOLL = 271 };
static long call(long n, long a, long b, long c, long d, long e) {
    long result;
    register long r10 __asm__("r10") = d;
    register long r8 __asm__("r8") = e;
    __asm__ volatile("syscall" : "=a"(result) : "a"(n), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8)
                     : "rcx", "r11", "memory");
    return result;
}
#elif defined(__aarch64__)
enum { READ = 63, WRITE = 64, CLOSE = 57, SOCKET = 198, CONNECT = 203, ACCEPT4 = 242, BIND = 200, LISTEN = 201,
       SETSOCKOPT = 208, EXIT = 94, PPOLL = 73 };
static long call(long n, long a, long b, long c, long d, long e) {
    register long x8 __asm__("x8") = n;
    register long x0 __asm__("x0") = a;
    register long x1 __asm__("x1") = b;
    register long x2 __asm__("x2") = c;
    register long x3 __asm__("x3") = d;
    register long x4 __asm__("x4") = e;
    __asm__ volatile("svc 0" : "+r"(x0) : "r"(x8), "r"(x1), "r"(x2), "r"(x3), "r"(x4) : "memory");
    return x0;
}
#endif

typedef unsigned char byte;
struct address { unsigned short family; byte port[2]; byte host[4]; byte zero[8]; };
struct poll { int fd; short wanted; short got; };
struct time { long seconds, micros; };

enum { ROOM = 4 << 20, QUESTION = 16 << 10, LOOPBACK_PORT = 51679 };
/* Whatever an address answers is cut here; a test looks for less. */
static byte room[ROOM];
static byte question[QUESTION];

static void leave(int code) { call(EXIT, code, 0, 0, 0, 0); __builtin_unreachable(); }

static void take(byte *into, long wanted) {
    while (wanted > 0) {
        long got = call(READ, 0, (long)into, wanted, 0, 0);
        if (got <= 0) leave(0); /* elkbake has gone */
        into += got;
        wanted -= got;
    }
}

static void give(int fd, const byte *from, long wanted) {
    while (wanted > 0) {
        long got = call(WRITE, fd, (long)from, wanted, 0, 0);
        if (got <= 0) return;
        from += got;
        wanted -= got;
    }
}

static void say(byte kind, const byte *what, long length) {
    byte head[5] = { kind, (byte)length, (byte)(length >> 8), (byte)(length >> 16), (byte)(length >> 24) };
    give(1, head, 5);
    give(1, what, length);
}

static int stream(void) {
    int fd = (int)call(SOCKET, 2, 1, 0, 0, 0);
    struct time limit = { 10, 0 }; /* for what never answers */
    call(SETSOCKOPT, fd, 1, 20, (long)&limit, sizeof limit);
    call(SETSOCKOPT, fd, 1, 21, (long)&limit, sizeof limit);
    return fd;
}

/* Carries a question into the network and the answer back. `room` holds the address and the question. */
static void carry(long length) {
    struct address to = { 2, { room[4], room[5] }, { room[0], room[1], room[2], room[3] }, { 0 } };
    int fd = stream();
    long filled = 1;
    byte connected = call(CONNECT, fd, (long)&to, sizeof to, 0, 0) == 0;
    if (connected && length > 6) {
        give(fd, room + 6, length - 6);
        for (;;) {
            long got = call(READ, fd, (long)(room + filled), ROOM - filled, 0, 0);
            if (got <= 0) break;
            filled += got;
        }
    }
    call(CLOSE, fd, 0, 0, 0, 0);
    room[0] = connected;
    say('A', room, filled);
}

/* The next who asks: all of the question's head, which is all there is. */
static int hear(int listener) {
    int fd = (int)call(ACCEPT4, listener, 0, 0, 0, 0);
    struct time limit = { 2, 0 };
    call(SETSOCKOPT, fd, 1, 20, (long)&limit, sizeof limit);
    long filled = 0;
    for (;;) {
        long got = call(READ, fd, (long)(question + filled), QUESTION - filled, 0, 0);
        if (got <= 0) break;
        filled += got;
        if (filled >= 4 && question[filled - 1] == '\n' && question[filled - 3] == '\n') {
            say('Q', question, filled);
            return fd;
        }
    }
    call(CLOSE, fd, 0, 0, 0, 0);
    return -1;
}

__attribute__((used, noreturn)) void begin(void) {
    struct address own = { 2, { LOOPBACK_PORT >> 8, LOOPBACK_PORT & 255 }, { 127, 0, 0, 1 }, { 0 } };
    int listener = (int)call(SOCKET, 2, 1, 0, 0, 0), asker = -1;
    int yes = 1;
    call(SETSOCKOPT, listener, 1, 2, (long)&yes, sizeof yes);
    if (call(BIND, listener, (long)&own, sizeof own, 0, 0) || call(LISTEN, listener, 64, 0, 0, 0)) leave(1);
    for (;;) {
        struct poll both[2] = { { 0, 1, 0 }, { listener, 1, 0 } };
        /* One at a time: the next waits until the last has its answer. */
        call(PPOLL, (long)both, asker < 0 ? 2 : 1, 0, 0, 0);
        if (both[0].got) {
            byte head[5];
            take(head, 5);
            long length = head[1] | head[2] << 8 | head[3] << 16 | (long)head[4] << 24;
            if (length > ROOM) leave(2);
            take(room, length);
            if (head[0] == 'C' && length >= 6) carry(length);
            if (head[0] == 'R' && asker >= 0) {
                give(asker, room, length);
                call(CLOSE, asker, 0, 0, 0, 0);
                asker = -1;
            }
        } else if (both[1].got) {
            asker = hear(listener);
        }
    }
}

/* A stack as the processor's rules want it. */
#if defined(__x86_64__)
__asm__(".globl _start\n_start: and $-16, %rsp\n call begin\n");
#else
__asm__(".globl _start\n_start: bl begin\n");
#endif
