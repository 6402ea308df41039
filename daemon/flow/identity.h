// By what a bank knows an attempt: derived from the durable intent, the same in every repeat.
// Thread rule: pure functions.
#pragma once

#include "connectors/connector.h"
#include "daemon/model/documents.h"

#include <cstdint>
#include <string>
#include <string_view>

namespace florin::flow {

// The link that the attempt's STAN is of, from 1.
std::uint32_t link_of(model::Attempt const& attempt);
// The ledger's counter of that link's STANs.
std::string stan_counter(std::string_view connector, std::uint32_t link);
std::string stan_counter(model::Attempt const& attempt);
// ISO 8583 field 7 of an intent of that second (since 1970): MMDDhhmmss. Where there are several
// links the seconds are theirs in turn, so that no two links ever have the same STAN with the same
// time, by which banks find the original of a reversal (field 90): up to links - 1 seconds early.
std::string transmission_time_of(std::int64_t created_s, connectors::LinkChoice choice);
// ISO 8583 field 37: YDDDhh of the intent and its STAN, twelve digits. 24 more hours for each link
// after the first: no two links have the same reference.
std::string retrieval_reference(model::Attempt const& attempt);
// ISO 8583 field 11 as text: six digits.
std::string stan_text(model::Attempt const& attempt);

}  // namespace florin::flow
