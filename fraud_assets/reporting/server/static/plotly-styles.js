/* Lets plotly.js draw under a policy that forbids inline styles. It comes before plotly.js.

   Policies judge markup, not scripts: `element.style` may be set, and rules may be put into a stylesheet of ours (the
   <link> with the id that plotly.js looks for). Only style attributes are markup, and so they are set as styles. */
(() => {
  "use strict";
  const setAttribute = Element.prototype.setAttribute;
  Element.prototype.setAttribute = function (name, value) {
    if (name === "style" && this.style) this.style.cssText = value;
    else setAttribute.call(this, name, value);
  };
})();
