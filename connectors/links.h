// What is known of a connector's links from outside: how many, which one is next, how they do.
// A link is a line to the counterpart with trace numbers of its own.
// Thread rule: values.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace florin::connectors {

// How many links one connector may have: retrieval references tell no more of them apart.
inline constexpr std::uint32_t kLinksMax = 4;

// The link that a new message is for, of how many.
struct LinkChoice {
    std::uint32_t link = 1;
    std::uint32_t links = 1;
};

// Of a link since it was made. A snapshot: the numbers are read one by one.
struct LinkCounters {
    std::uint64_t connected = 0;
    std::uint64_t signed_on = 0;
    std::uint64_t disconnected = 0;
    std::uint64_t sent = 0;  // messages written in full, network management included
    std::uint64_t answered = 0;
    std::uint64_t not_sent = 0;
    std::uint64_t timed_out = 0;
    std::uint64_t cut_off = 0;  // the connection ended before the answer
    std::uint64_t late = 0;     // answers that nobody waits for, handed on as evidence
    std::uint64_t duplicate = 0;
    std::uint64_t foreign = 0;    // requests and answers that do not belong here
    std::uint64_t malformed = 0;  // messages that do not decode
    std::uint64_t bad_mac = 0;    // messages whose MAC is wrong or missing
    std::uint64_t outstanding = 0;
};

// How it is told of them: "timed_out", a sentence, and where it is. All but `outstanding` only
// grow.
struct LinkCounterName {
    std::string_view name;
    std::string_view about;
    std::uint64_t LinkCounters::* member;
};
std::span<LinkCounterName const> link_counter_names();

// One line to the counterpart, with trace numbers of its own.
struct LinkHealth {
    bool ready = false;
    std::string detail;
    std::uint64_t connections = 0;
    std::uint64_t connections_ready = 0;
    LinkCounters counters;
};

}  // namespace florin::connectors
