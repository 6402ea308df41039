// What operators decided about attempts that no bank explains: who proposed it, who confirmed it.
//
// Times are seconds since 1970 UTC. Thread rule: values.
#pragma once

#include "daemon/model/documents.h"

#include <cstdint>
#include <string>
#include <vector>

namespace florin::model {

// States of a resolution.
//   proposed    by one person; nothing follows from it
//   confirmed   by another one: it is evidence now (Evidence::reference is its id)
//   withdrawn   by anybody, before it was confirmed
struct Resolution {
    std::string id;       // rs_…
    std::string outcome;  // approved, declined, reversed
    std::string reason;   // why, in the words of who proposed it
    std::string state;
    std::string proposed_by, proposed_key;  // a person's name, and the id of the key that was used
    std::vector<std::string> proposed_makers;  // persons who had that key in their hands
    std::int64_t proposed = 0;
    std::string decided_by, decided_key;  // who confirmed or withdrew it
    std::string decided_reason;           // in their words; may be empty
    std::int64_t decided = 0;
};

// All of one attempt, oldest first; at most the last one is proposed. Owner and id: the attempt's.
struct AttemptResolutions {
    static constexpr Kind kKind = Kind::attempt_resolutions;
    std::vector<Resolution> resolutions;
};

}  // namespace florin::model
