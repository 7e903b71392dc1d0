// Shows what runs, and each message as it comes.

const element = (id) => document.getElementById(id);

function show({ to, text, code, sentAt }) {
  const item = document.createElement("li");
  const line = (className, content) => {
    const part = document.createElement("div");
    part.className = className;
    // Never as HTML: a message holds what somebody typed.
    part.textContent = content;
    item.append(part);
  };
  line("when", `${to} · ${new Date(sentAt).toLocaleTimeString()}`);
  if (code) line("code", code);
  line("text", text);
  element("messages").prepend(item);
  element("empty").hidden = true;
}

async function watch() {
  let after = "";
  for (;;) {
    try {
      const answer = await fetch(`/dev/inbox?wait=25&after=${encodeURIComponent(after)}`);
      const { messages } = await answer.json();
      for (const message of messages.reverse()) {
        show(message);
        after = message.id;
      }
    } catch {
      // Stopped, or started anew: look again soon.
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }
}

const about = await (await fetch("/dev/about")).json();
element("version").textContent = about.version;
element("token").value = about.token;
element("copy").onclick = () => navigator.clipboard.writeText(about.token);
watch();
