// A wall clock that is off by FLORIN_TEST_CLOCK_SHIFT_S seconds, for tests that need another day
// than today. Preloaded (LD_PRELOAD) into a program under test; clocks that never step stay as they
// are. Thread rule: any thread.
#include <cstdlib>
#include <ctime>
#include <sys/syscall.h>
#include <unistd.h>

// As the C library declares it.
extern "C" int clock_gettime(clockid_t clock, timespec* time) noexcept {
    static long const shift_s = [] {
        char const* const text = std::getenv("FLORIN_TEST_CLOCK_SHIFT_S");
        return text == nullptr ? 0L : std::strtol(text, nullptr, 10);
    }();
    int const result = static_cast<int>(::syscall(SYS_clock_gettime, clock, time));
    if (result == 0 && (clock == CLOCK_REALTIME || clock == CLOCK_REALTIME_COARSE)) {
        time->tv_sec += shift_s;
    }
    return result;
}
