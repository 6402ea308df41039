// By what a bank knows an attempt: derived from the durable intent, the same in every repeat.
// Thread rule: pure functions.
#pragma once

#include "daemon/model/documents.h"

#include <string>

namespace florin::flow {

// ISO 8583 field 37: YDDDhh of the intent and its STAN, twelve digits.
std::string retrieval_reference(model::Attempt const& attempt);
// ISO 8583 field 11 as text: six digits.
std::string stan_text(model::Attempt const& attempt);

}  // namespace florin::flow
