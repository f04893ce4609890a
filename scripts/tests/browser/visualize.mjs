// Tries a page of `usher-train visualize` in Chromium: hover, search, zoom, color, theme, and that it asks nobody.
//
//   npm install --prefix FOLDER playwright-core
//   NODE_PATH=FOLDER/node_modules node scripts/tests/browser/visualize.mjs picture/index.html [screenshot.png]
//
// Chromium is /usr/bin/chromium, or $CHROMIUM. Exit 0: all well; 1: what is not is said.
import assert from "node:assert/strict";
import { watched } from "./watched.mjs";

await watched({ width: 1400, height: 900 }, async (page, screenshot) => {
  const count = await page.evaluate(() => window.usher.count);
  assert.ok(count > 0);
  assert.match(await page.textContent("#about"), new RegExp(count.toLocaleString("en")));

  const places = await page.evaluate(count => Array.from({ length: count }, (_, i) => window.usher.place(i).map(Math.round).join()), count);
  assert.ok(new Set(places).size > count / 2, "faces have places of their own");
  const [x, y] = await page.evaluate(() => window.usher.place(0));
  await page.mouse.move(x, y);
  assert.equal(await page.isVisible("#card"), true, "a card where a face is");
  assert.match(await page.textContent("#check"), /nearest in truth/);
  const image = await page.evaluate(() => getComputedStyle(document.getElementById("face")).backgroundImage);
  assert.match(image, /^url\("(data|blob):/, "the face itself on the card");

  await page.mouse.move(500, 400);
  await page.mouse.down();
  await page.mouse.move(560, 430, { steps: 3 });
  await page.mouse.up();
  const [movedX, movedY] = await page.evaluate(() => window.usher.place(0));
  assert.ok(Math.hypot(movedX - x - 60, movedY - y - 30) < 2, "dragging moves the picture");

  const before = await page.evaluate(() => window.usher.scale);
  await page.mouse.wheel(0, -400);
  assert.ok(await page.evaluate(() => window.usher.scale) > before, "the wheel zooms");
  await page.focus("#canvas");
  await page.keyboard.press("0");
  await page.waitForTimeout(700);
  assert.ok(Math.abs(await page.evaluate(() => window.usher.scale) / before - 1) < 1e-3, "0 shows all");

  const name = await page.evaluate(() => JSON.parse(document.getElementById("data").textContent).people.names[0]);
  if (name) {
    await page.fill("#search", name.replaceAll("_", " ").toUpperCase());
    assert.ok(await page.evaluate(() => window.usher.chosen) > 0, "a search finds");
    await page.fill("#search", "nobody has this name");
    assert.equal(await page.textContent("#found"), "Nobody of that name");
    await page.fill("#search", "");
    await page.waitForTimeout(700);
  }
  const modes = await page.$$eval("#modes button", all => all.map(button => button.textContent));
  assert.deepEqual(modes, ["Person", "Cluster", "Neighbors"].filter(mode => modes.includes(mode)), "ways to color");
  if (process.env.CLUSTERS) assert.ok(modes.includes("Cluster"), "clusters that were given are a way to color");
  for (const button of await page.$$("#modes button")) await button.click();
  await page.click("#theme");
  await (await page.$("#modes button")).click();
  // A second of moving about, to see that drawing keeps up.
  const frames = await page.evaluate(() => new Promise(done => {
    const canvas = document.getElementById("canvas"), began = performance.now(); let frames = 0;
    (function step() {
      canvas.dispatchEvent(new WheelEvent("wheel", { deltaY: frames % 2 ? 3 : -3, clientX: 300, clientY: 300 })); frames++;
      if (performance.now() - began < 1000) requestAnimationFrame(step); else done(frames);
    })();
  }));
  if (screenshot) {
    await page.keyboard.press("Escape");
    await page.waitForTimeout(700);
    const [x, y] = await page.evaluate(() => window.usher.place(0));
    await page.mouse.move(x, y);
    await page.waitForTimeout(300);
    await page.screenshot({ path: screenshot });
  }
  assert.ok(frames >= 10, `drawing keeps up: ${frames} frames a second`);
  console.log(`${count} faces, ${frames} frames a second while zooming: all well`);
});
