// Tries a page of `usher-train evaluate --html` in Chromium: every chart is drawn, no number is none, and it asks nobody.
//
//   scripts/tests/browser/run does it all; by hand: NODE_PATH=FOLDER/node_modules node report.mjs report.html [screenshot.png]
import assert from "node:assert/strict";
import { watched } from "./watched.mjs";

await watched({ width: 1120, height: 900 }, async (page, screenshot) => {
  const titles = await page.$$eval("h2", all => all.map(one => one.textContent));
  for (const title of ["In plain words", "Distances", "ROC", "DET", "D, fold by fold"]) assert.ok(titles.includes(title), title);
  assert.equal(await page.$$eval("section svg", all => all.filter(svg => svg.querySelector("path")).length) >= 3, true, "charts with lines");
  // The footer comes last: a page that broke half-way has none.
  assert.match(await page.textContent("footer"), /Distances are squared L2/);
  const worst = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).worst);
  const shown = (worst?.false_matches.length ?? 0) + (worst?.false_non_matches.length ?? 0);
  assert.equal(await page.$$eval(".pair img", all => all.length), 2 * shown, "both faces of each error that was asked for");
  assert.equal(titles.includes("Pictures made worse"), Boolean(process.env.SWEEPS), "sweeps if they were asked for");
  const main = await page.innerHTML("main");
  for (const none of ["NaN", "undefined", "Infinity", "null"]) assert.ok(!main.includes(none), none + " on the page");
  assert.match(await page.textContent(".figure b"), /^\d+\.\d\d %$/);
  const wide = await page.evaluate(() => document.documentElement.scrollWidth > document.documentElement.clientWidth);
  assert.equal(wide, false, "nothing sticks out");
  if (screenshot) await page.screenshot({ path: screenshot, fullPage: true });
});
