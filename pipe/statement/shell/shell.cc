// SPDX-License-Identifier: Apache-2.0
#include "pipe/statement/shell/shell.h"

#include "pipe/statement/print.h"
#include "pipe/statement/shell/line_editor.h"
#include "pipe/statement/shell/statement_client.h"
#include "pipe/statement/split.h"
#include "pipe/statement/statement.h"

namespace tidegate {
namespace {

constexpr Nanos kTimePerStatement = 60 * kSecond;  // a target may be dialled, a pipe may finish what it is at
const std::string kPrompt = "tidegate> ";
const std::string kContinued = "       -> ";
constexpr std::string_view kHelp =
    "Statements end with ';'. TAB shows what can come next, the arrows bring back what was typed.\n"
    "  SHOW PIPES;   SHOW PIPE p;   START PIPE p;   STOP PIPE p;   SHOW PIPEPLUGINS;\n"
    "  quit or exit ends, clear clears the screen, ^C gives up what was begun. All statements: "
    "doc/statements.md\n";

std::size_t count_statements(const std::string& text) {
  const SplitResult split = split_statements(text);
  return split.complete.size() + (split.rest.text.empty() ? 0 : 1);
}

int show_answer(const StatementAnswer& answer, bool json, std::ostream& out, std::ostream& err) {
  if (json) {
    out << answer.json << std::flush;
    return answer.refused ? kExitNo : kExitOk;
  }
  for (const ResultTable& table : answer.results) out << draw_table(table);
  out << std::flush;
  if (!answer.refused) return kExitOk;
  err << draw_table({{}, {}, answer.explanation}) << std::flush;  // words of a target may be in it
  return kExitNo;
}

int ask(const StatementClient& client, const std::string& text, bool json, std::ostream& out,
        std::ostream& err) {
  const auto count = static_cast<Nanos>(count_statements(text));
  const auto answer = client.execute(text, (count + 1) * kTimePerStatement);
  if (answer.ok()) return show_answer(*answer, json, out, err);
  err << "tidegate: " << answer.error().text() << "\n" << std::flush;
  return kExitUnreachable;
}

class Session {
 public:
  Session(const ShellOptions& options, std::ostream& out, std::ostream& err)
      : options_(options),
        out_(out),
        err_(err),
        client_(options.target, options.dialect),
        editor_(options.history_file, [this](std::string_view before) { return complete(before); }) {}

  int run() {
    out_ << "Tidegate, " << options_.target.text() << ". help explains, quit ends.\n" << std::flush;
    for (;;) {
      bool interrupted = false;
      const auto line = editor_.read(begun_.empty() ? kPrompt : kContinued, &interrupted);
      if (!line) break;
      if (interrupted) {
        begun_.clear();
      } else if (begun_.empty() && is_word(*line)) {
        if (!word(fold_name(trimmed(*line)))) break;
      } else {
        take(*line);
      }
    }
    out_ << "\n" << std::flush;
    return kExitOk;
  }

 private:
  static std::string trimmed(std::string text) {
    while (!text.empty() && (text.back() == ' ' || text.back() == ';')) text.pop_back();
    text.erase(0, text.find_first_not_of(' '));
    return text;
  }
  static bool is_word(const std::string& line) {
    const std::string word = fold_name(trimmed(line));
    return word == "quit" || word == "exit" || word == "help" || word == "clear";
  }
  // False: the session ends.
  bool word(const std::string& word) {
    if (word == "help") out_ << kHelp << std::flush;
    if (word == "clear") out_ << "\x1b[H\x1b[2J" << std::flush;
    return word != "quit" && word != "exit";
  }

  // Statements may have several lines, and a line several statements.
  void take(const std::string& line) {
    begun_ += line + "\n";
    const SplitResult split = split_statements(begun_);
    std::string ready;
    for (const StatementPiece& piece : split.complete) ready += std::string(piece.text) + "\n";
    begun_ = std::string(split.rest.text);
    if (ready.empty()) return;
    ready.pop_back();
    if (mask_source(ready) == ready) editor_.keep(ready);
    ask(client_, ready, options_.json, out_, err_);
  }

  LineEditor::Choices complete(std::string_view before) const {
    const std::string text = begun_ + std::string(before);
    const auto answer = client_.complete(text, text.size());
    if (!answer.ok() || answer->from > text.size() || text.size() - answer->from > before.size()) return {};
    return {text.size() - answer->from, answer->candidates};
  }

  const ShellOptions& options_;
  std::ostream& out_;
  std::ostream& err_;
  StatementClient client_;
  std::string begun_;  // of a statement without its ';' yet
  LineEditor editor_;
};

}  // namespace

int run_statements(const ShellOptions& options, const std::string& text, std::ostream& out,
                   std::ostream& err) {
  if (count_statements(text) == 0) {
    err << "tidegate: there is no statement in this text\n";
    return kExitUsage;
  }
  return ask(StatementClient(options.target, options.dialect), text, options.json, out, err);
}

int run_session(const ShellOptions& options, std::ostream& out, std::ostream& err) {
  return Session(options, out, err).run();
}

}  // namespace tidegate
