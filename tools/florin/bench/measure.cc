#include "tools/florin/bench/measure.h"

#include <algorithm>
#include <cmath>
#include <fstream>
#include <sstream>
#include <string>
#include <unistd.h>

namespace florin::tools {
namespace {

std::uint64_t status_kilobytes(std::string const& field, pid_t process) {
    std::string const whose = process == 0 ? "self" : std::to_string(process);
    std::ifstream status{"/proc/" + whose + "/status"};
    std::string name;
    while (status >> name) {
        if (name == field) {
            std::uint64_t kilobytes = 0;
            status >> kilobytes;
            return kilobytes << 10U;
        }
        std::string rest;
        std::getline(status, rest);
    }
    return 0;
}

}  // namespace

double Latencies::percentile_ms(double fraction) {
    if (took_.empty()) {
        return 0;
    }
    auto const rank = std::ceil(fraction * static_cast<double>(took_.size()));
    auto const at = std::min(static_cast<std::size_t>(std::max(rank, 1.0)), took_.size()) - 1;
    auto const nth = took_.begin() + static_cast<std::ptrdiff_t>(at);
    std::ranges::nth_element(took_, nth);
    return std::chrono::duration<double, std::milli>(*nth).count();
}

std::uint64_t resident_bytes(pid_t process) {
    return status_kilobytes("VmRSS:", process);
}

std::uint64_t peak_resident_bytes(pid_t process) {
    return status_kilobytes("VmHWM:", process);
}

void reset_peak_memory() {
    std::ofstream{"/proc/self/clear_refs"} << "5";
}

std::map<std::string, double> thread_seconds(pid_t process) {
    std::map<std::string, double> seconds;
    auto const ticks_per_second = static_cast<double>(::sysconf(_SC_CLK_TCK));
    std::error_code error;
    std::string const tasks =
        "/proc/" + (process == 0 ? "self" : std::to_string(process)) + "/task";
    for (auto const& task : std::filesystem::directory_iterator{tasks, error}) {
        std::ifstream stat{task.path() / "stat"};
        std::string line;
        std::getline(stat, line);
        // pid (name) state and ten numbers, then user and system time.
        auto const open = line.find('(');
        auto const close = line.rfind(')');
        if (open == std::string::npos || close == std::string::npos) {
            continue;  // the thread has ended meanwhile
        }
        std::istringstream rest{line.substr(close + 1)};
        std::string field;
        double ticks = 0;
        for (int i = 0; i < 13 && rest >> field; ++i) {
            ticks += i >= 11 ? std::stod(field) : 0;
        }
        seconds[line.substr(open + 1, close - open - 1)] += ticks / ticks_per_second;
    }
    return seconds;
}

std::uint64_t directory_bytes(std::filesystem::path const& directory) {
    std::uint64_t bytes = 0;
    std::error_code error;
    std::filesystem::recursive_directory_iterator entry{directory, error};
    for (; !error && entry != std::filesystem::recursive_directory_iterator{};
         entry.increment(error)) {
        std::error_code gone;  // files come and go while the store works
        if (entry->is_regular_file(gone) && !gone) {
            auto const size = entry->file_size(gone);
            bytes += gone ? 0 : size;
        }
    }
    return bytes;
}

}  // namespace florin::tools
