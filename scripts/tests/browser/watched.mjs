// A page in Chromium, watched: what it asks of anybody, and what goes wrong on it.
import assert from "node:assert/strict";
import { createRequire } from "node:module";
import path from "node:path";

const require = createRequire(path.join(process.env.NODE_PATH ?? process.cwd(), "x.js"));
const { chromium } = require("playwright-core");

/** Opens the page named on the command line in a window of that size, lets `look` try it, and fails if it asked anybody for
 *  anything, reported an error or opened a dialog. `look` is given the page and where a screenshot is wanted, if it is. */
export async function watched(viewport, look) {
  const [page_file, screenshot] = process.argv.slice(2);
  const browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
  });
  try {
    const page = await browser.newPage({ viewport });
    const asked = [], wrong = [];
    page.on("request", request => { if (!/^(file|data):/.test(request.url())) asked.push(request.url()); });
    page.on("pageerror", error => wrong.push(String(error)));
    page.on("console", message => { if (message.type() === "error") wrong.push(message.text()); });
    // A name that became a script would open one.
    page.on("dialog", dialog => { wrong.push("a dialog: " + dialog.message()); dialog.dismiss(); });
    await page.goto("file://" + path.resolve(page_file));
    await look(page, screenshot);
    assert.deepEqual(wrong, [], "no error");
    assert.deepEqual(asked, [], "nobody is asked");
  } finally {
    await browser.close();
  }
}
