// SPDX-License-Identifier: Apache-2.0
// The changes a catalogue can undergo, and what each does to a snapshot. Pure: every store applies the same
// ones.
#pragma once

#include <set>
#include <span>
#include <string>
#include <variant>

#include "pipe/catalogue/definitions.h"

namespace tidegate {
namespace change {

// kAlreadyExists: the name; a stream number or outbox folder that is or was another pipe's. kNotFound: the
// pipesink.
struct CreatePipe {
  PipeDefinition pipe;
};
// ALTER: everything but name and creation time becomes what `pipe` says. A stream number that it gives up is
// spent.
struct AlterPipe {
  PipeDefinition pipe;
  std::int64_t at_micros = 0;
};
// START, STOP and the automatic stop.
struct SetPipeState {
  std::string name;
  WantedState wanted = WantedState::kStopped;
  std::string exception_message;
};
// Its stream number is spent.
struct DropPipe {
  std::string name;
  std::int64_t at_micros = 0;
};
struct CreatePipesink {
  PipesinkDefinition pipesink;
};
struct DropPipesink {  // kBusy while a pipe was made with it
  std::string name;
};
struct CreatePlugin {
  PluginDefinition plugin;
};
struct DropPlugin {  // kBusy while a pipe names it
  std::string name;
};
struct CreateUser {
  std::string name;
  std::string password_hash;
};
struct SetPassword {
  std::string name;
  std::string password_hash;
};
struct DropUser {  // with its privileges
  std::string name;
};
struct Grant {  // kAlreadyExists where the user has one of them
  std::string user;
  std::set<PipePrivilege> privileges;
};
struct Revoke {  // kNotFound where the user lacks one of them
  std::string user;
  std::set<PipePrivilege> privileges;
};
struct SetSetting {
  std::string key, value;
};
struct ClearSetting {  // no error where there is none
  std::string key;
};

}  // namespace change

using CatalogueChange =
    std::variant<change::CreatePipe, change::AlterPipe, change::SetPipeState, change::DropPipe,
                 change::CreatePipesink, change::DropPipesink, change::CreatePlugin, change::DropPlugin,
                 change::CreateUser, change::SetPassword, change::DropUser, change::Grant, change::Revoke,
                 change::SetSetting, change::ClearSetting>;

// All of `changes` in order, or none: `snapshot` is unchanged after an error. Names that do not exist are
// kNotFound, names that do kAlreadyExists, values that cannot stand in a catalogue kInvalidArgument.
Status apply_changes(CatalogueSnapshot& snapshot, std::span<const CatalogueChange> changes);

}  // namespace tidegate
