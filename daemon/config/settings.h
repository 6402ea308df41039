// Which sections and settings there are, and what each may be; config.cc reads files by them. A new
// setting is one row in settings.cc.
// Thread rule: at the start; a setting writes into the struct it was made for, which outlives it.
#pragma once

#include "daemon/config/config.h"

#include <toml++/toml.h>

#include <functional>
#include <string>
#include <vector>

namespace florin::config {

// One setting of a section: where it goes and what it may be.
struct Setting {
    std::string name;
    std::function<std::string(toml::node const&)> set;  // "": fine; else what would be right
    bool is_required = false;
};

// The items of lists.
std::vector<Setting> settings(Connector& s);
std::vector<Setting> settings(Merchant& s);
std::vector<Setting> settings(BankAccount& s);

// What may stand at the top of a file in this mode: the sections, the lists, and mode and data_dir.
std::vector<std::string> sections_of(Mode mode);

// The settings of a section that is no list; `name` is one of sections_of(config.mode).
std::vector<Setting> section_settings(Config& config, std::string const& name);

}  // namespace florin::config
