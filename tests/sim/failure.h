// How a simulation says that the ledger broke a promise: the run of that seed ends, and the text is
// printed with the line that repeats it.
#pragma once

#include <string>
#include <utility>

namespace florin::ledger::sim {

struct Broken {
    std::string what;
};

inline void ensure(bool holds, std::string const& what) {
    if (!holds) {
        throw Broken{what};
    }
}
// For a text that is dear to make.
template <class Text>
    requires requires(Text text) { std::string{text()}; }
void ensure(bool holds, Text const& what) {
    if (!holds) {
        throw Broken{what()};
    }
}

}  // namespace florin::ledger::sim
