// SPDX-License-Identifier: Apache-2.0
// conf/*.yaml are the manual of the keys: what they say of defaults is true, and no key is missing.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <regex>
#include <set>
#include <sstream>

#include "base/real_env.h"
#include "pipe/connect/builtin_connectors.h"
#include "pipe/connect/file/file_sink_plugin.h"
#include "pipe/connect/influx/influx_sink_plugin.h"
#include "pipe/control/yaml_attributes.h"
#include "receiver/receiver_config.h"
#include "sender/sender_config.h"

namespace tidegate {
namespace {

using Settings = std::map<std::string, std::string>;

std::string read(const std::string& path) {
  std::stringstream out;
  out << std::ifstream(std::string(TIDEGATE_SOURCE_DIR) + "/" + path).rdbuf();
  return out.str();
}

std::string text_of(const std::string& value) {
  return value;
}
template <class T>
  requires std::is_arithmetic_v<T>
std::string text_of(T value) {
  return std::to_string(value);
}
template <class T>
  requires std::is_enum_v<T>
std::string text_of(T value) {
  return std::to_string(static_cast<int>(value));
}
std::string text_of(const Endpoint& value) {
  return value.text();
}
std::string text_of(const Id& value) {
  return value.hex();
}

#define SETTING(field) out[std::string(prefix) + #field] = text_of(c.field)

void add(Settings& out, const char* prefix, const DaemonConfig& c) {
  SETTING(instance), SETTING(data_dir), SETTING(log_level), SETTING(control), SETTING(control_socket);
  SETTING(journal.directory), SETTING(journal.segment_bytes), SETTING(journal.quota_bytes);
  SETTING(journal.reserve_bytes), SETTING(journal.min_free_bytes), SETTING(journal.machine_id);
  SETTING(window.micros), SETTING(window.quota_percent);
}
void add(Settings& out, const char* prefix, const LinkConfig& c) {
  SETTING(profile_name), SETTING(profile.frame_limit), SETTING(profile.rate), SETTING(profile.lowest_rate);
  SETTING(ask), SETTING(lanes), SETTING(window), SETTING(largest_part), SETTING(quiet_min),
      SETTING(quiet_max);
  SETTING(beat), SETTING(frame_stall), SETTING(handshake_timeout), SETTING(answer_timeout_base),
      SETTING(hold);
  SETTING(user_timeout), SETTING(sync_max);
}
void add(Settings& out, const char* prefix, const InfluxHttpOptions& c) {
  SETTING(listen), SETTING(source), SETTING(database), SETTING(tokens.size()), SETTING(users.size());
  SETTING(max_body), SETTING(max_decompressed), SETTING(memory), SETTING(max_connections), SETTING(threads);
  SETTING(max_header), SETTING(header_timeout), SETTING(body_timeout), SETTING(body_rate),
      SETTING(idle_timeout);
  SETTING(idempotency_keys), SETTING(idempotency_age);
}
void add(Settings& out, const char* prefix, const GatherOptions& c) {
  SETTING(bytes), SETTING(delay);
}
void add(Settings& out, const char* prefix, const FileSinkOptions& c) {
  SETTING(directory), SETTING(name), SETTING(format), SETTING(rotate_bytes), SETTING(rotate_interval);
  SETTING(mapping.target), SETTING(mapping.unsigned_policy), SETTING(mapping.tree_level);
  SETTING(mapping.tree_tag);
  add(out, prefix, c.gather);
}
void add(Settings& out, const char* prefix, const InfluxSinkOptions& c) {
  SETTING(url), SETTING(version), SETTING(database), SETTING(retention_policy), SETTING(org), SETTING(user);
  SETTING(password), SETTING(token), SETTING(create_database), SETTING(missing_target_timeout), SETTING(gzip),
      SETTING(timeout);
  SETTING(verify_tls), SETTING(ca_file), SETTING(limits.lines), SETTING(limits.bytes), SETTING(tree_level);
  SETTING(tree_tag);
  out[std::string(prefix) + "unsigned"] = c.unsigned_policy ? text_of(*c.unsigned_policy) : "by version";
  add(out, prefix, c.gather);
}
void add(Settings& out, const ReceiverConfig::Sink& sink) {
  const std::string prefix = sink.name + ".";
  if (sink.connector.plugin == "file-sink") {
    add(out, prefix.c_str(), read_file_sink_options(sink.connector, {.pipe = sink.name}).value());
  } else {
    add(out, prefix.c_str(), read_influx_sink_options(*real_env().files, sink.connector).value());
  }
}

Settings settings(const SenderConfig& c) {
  Settings out;
  constexpr const char* prefix = "";
  add(out, "", c.daemon);
  add(out, "link.", c.link);
  SETTING(remote), SETTING(sender_id), SETTING(receiver_expected), SETTING(declare_gaps),
      SETTING(frame_level);
  SETTING(ingest.batch_bytes), SETTING(ingest.pending_bytes), SETTING(ingest.level);
  for (const auto& source : c.http_sources) add(out, (source.name + ".").c_str(), source.options);
  return out;
}

Settings settings(const ReceiverConfig& c) {
  Settings out;
  constexpr const char* prefix = "";
  add(out, "", c.daemon);
  add(out, "link.", c.link);
  SETTING(listen), SETTING(receiver_id), SETTING(accept_new_senders), SETTING(accept_new_journals);
  for (const char* peer : {"10.0.0.1:1", "[2001:db8::1]:1"})
    out[std::string("allow ") + peer] = text_of(c.allow.admits(peer));
  for (const auto& sink : c.sinks) {
    out[sink.name + ".holds"] = text_of(sink.holds);
    add(out, sink);
  }
  return out;
}

// "#> " in front of an example goes.
std::string with_examples(const std::string& text) {
  return std::regex_replace(text, std::regex("(^|\n)( *)#> ?"), "$1$2");
}
// "#key: value" becomes "key: value"; prose has a blank behind the '#'.
std::string with_defaults(const std::string& text) {
  return std::regex_replace(text, std::regex("(^|\n)( *)#([a-z_]+:)"), "$1$2$3");
}

class ConfTest : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = "/tmp/tidegate-conf-XXXXXX";
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    dir_ = name;
    for (const char* secret : {"http-token", "http-password", "influx-password", "influx-token"})
      std::ofstream(dir_ + "/" + secret) << secret << "-content\n";
    setenv("CREDENTIALS_DIRECTORY", dir_.c_str(), 1);
  }
  void TearDown() override { std::filesystem::remove_all(dir_); }

  template <class Load>
  Settings load(const std::string& text, Load loader) {
    const std::string path = dir_ + "/file.yaml";
    std::ofstream(path) << text;
    const auto config = loader(*real_env().files, path, YamlUse::kRun);
    EXPECT_TRUE(config.ok()) << config.error().text();
    return config.ok() ? settings(*config) : Settings{};
  }
  // As it is shipped, with its examples, and with its examples and all defaults written out.
  template <class Load>
  void check(const std::string& file, Load loader) {
    const std::string text = read(file);
    ASSERT_FALSE(load(text, loader).empty());
    const std::string examples = with_examples(text), written_out = with_defaults(examples);
    EXPECT_NE(text, examples);
    EXPECT_NE(examples, written_out);
    EXPECT_EQ(load(examples, loader), load(written_out, loader))
        << file << " names a default that is not the code's";
  }

  std::string dir_;
};

// The names of the keys that a source file reads.
void add_keys(std::set<std::string>& keys, const std::string& source) {
  const std::string text = read(source);
  ASSERT_FALSE(text.empty()) << source;
  const std::regex call(
      R"re((?:\.(?:string|strings|boolean|integer|number|duration|bytes|rate|secret|map|maps|one_of<[^(]*>)\(|read_endpoint\([a-z]+, |read_id\([a-z]+, |\? |: )\s*"([a-z_]+)")re");
  for (std::sregex_iterator at(text.begin(), text.end(), call), end; at != end; ++at) keys.insert((*at)[1]);
}

void expect_keys(const std::string& file, const std::vector<std::string>& sources, std::size_t at_least) {
  std::set<std::string> keys;
  for (const std::string& source : sources) add_keys(keys, source);
  EXPECT_GE(keys.size(), at_least);
  const std::string text = read(file);
  for (const std::string& key : keys)
    EXPECT_TRUE(std::regex_search(text, std::regex("[ #\n`]" + key + ":")))
        << file << " does not explain '" << key << "'";
}

TEST_F(ConfTest, SenderFileLoadsAndNamesTheDefaultsOfTheCode) {
  check("conf/sender.yaml", load_sender_config);
}
TEST_F(ConfTest, ReceiverFileLoadsAndNamesTheDefaultsOfTheCode) {
  check("conf/receiver.yaml", load_receiver_config);
}

TEST_F(ConfTest, SenderFileExplainsEveryKey) {
  expect_keys("conf/sender.yaml",
              {"sender/sender_config.cc", "hw/link_config.cc", "pipe/control/daemon_config.cc",
               "pipe/extract/influx/options.cc"},
              60);
}
TEST_F(ConfTest, ReceiverFileExplainsEveryKey) {
  expect_keys("conf/receiver.yaml",
              {"receiver/receiver_config.cc", "hw/link_config.cc", "pipe/control/daemon_config.cc"}, 40);
}
TEST_F(ConfTest, ReceiverFileExplainsEveryAttributeOfItsSinks) {
  const std::string text = read("conf/receiver.yaml");
  for (const char* sink : {"file-sink", "influxdb-sink"}) {
    for (const AttributeSpec& spec : find_connector_plugin(sink)->attributes) {
      const std::string key = yaml_key(spec.name);
      EXPECT_TRUE(std::regex_search(text, std::regex("[ #\n`]" + key + ":"))) << sink << ": " << key;
    }
  }
}

// The part of a page between "```<language>" and "```".
std::string code_block(const std::string& page, const std::string& language) {
  const std::size_t begin = page.find("```" + language + "\n") + 4 + language.size();
  return page.substr(begin, page.find("```", begin) - begin);
}

TEST_F(ConfTest, TheExamplesOfTheConnectorsPageSayTheSameInBothForms) {
  for (const char* page : {"doc/connectors.md", "doc/zh/connectors.md"}) {
    const std::string text = read(page), path = dir_ + "/r.yaml";
    std::ofstream(path) << "instance: x\ndata_dir: /data\n" << code_block(text, "yaml");
    const auto config = load_receiver_config(*real_env().files, path, YamlUse::kRun);
    ASSERT_TRUE(config.ok()) << config.error().text();
    Attributes statement;
    const std::string sql = code_block(text, "sql");
    const std::regex pair(R"('connector(\.?)([a-z.-]*)' *= '([^']*)')");
    for (std::sregex_iterator at(sql.begin(), sql.end(), pair), end; at != end; ++at) {
      ((*at)[1].length() == 0 ? statement.plugin : statement.values[(*at)[2]]) = (*at)[3];
    }
    EXPECT_GE(statement.values.size(), 4U);
    EXPECT_EQ(config->sinks.at(0).connector, statement) << page;
  }
}

TEST_F(ConfTest, AWrongDefaultInTheFileWouldBeSeen) {
  const std::string text = with_defaults(read("conf/sender.yaml"));
  const std::string wrong = std::regex_replace(text, std::regex("quota: 20GiB"), "quota: 21GiB");
  ASSERT_NE(text, wrong);
  EXPECT_NE(load(text, load_sender_config), load(wrong, load_sender_config));
}

}  // namespace
}  // namespace tidegate
